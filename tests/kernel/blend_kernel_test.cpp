// The kernels on memory, without LibTorch's operators, against the table in double: every row,
// every instruction set that this processor has. All 2^32 inputs go through bench/kernel/ulp.cpp.
#include <actswap/activation/activation.h>
#include <actswap/kernel/blend_kernel.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace actswap {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

void for_each_instruction_set(const std::function<void(const std::string&)>& test) {
  const auto supported = static_cast<std::uint64_t>(hwy::SupportedTargets());
  for (std::uint64_t bit = 1; bit < (std::uint64_t{1} << 62); bit <<= 1) {
    if ((supported & bit) != 0 && (bit & HWY_SSSE3) == 0) {
      hwy::SetSupportedTargetsForTest(static_cast<std::int64_t>(bit));
      test(kernel_instruction_set());
    }
  }
  hwy::SetSupportedTargetsForTest(0);
}

const std::vector<std::string>& sources() {
  static const std::vector<std::string> kNames = {"silu",
                                                  "quick_gelu",
                                                  "swish(-0.7)",
                                                  "mish",
                                                  "gelu",
                                                  "gelu_tanh",
                                                  "aptx",
                                                  "aptx(1.2,0.8,0.4)",
                                                  "aptx_mish",
                                                  "swish_mish",
                                                  "elu",
                                                  "elu(0.3)",
                                                  "selu",
                                                  "celu(1.4)",
                                                  "softplus",
                                                  "softplus(2,5)",
                                                  "hardswish",
                                                  "tanh",
                                                  "sigmoid",
                                                  "relu",
                                                  "hard_mish",
                                                  "relu6",
                                                  "leaky_relu(0.1)"};
  return kNames;
}

const std::vector<std::string>& targets() {
  static const std::vector<std::string> kNames = {"relu", "hard_mish", "hardswish", "relu6",
                                                  "leaky_relu(0.1)"};
  return kNames;
}

// Parameters as the kernels have them.
ActivationSpec single(const std::string& name) {
  auto spec = resolve(name);
  for (double& parameter : spec.parameters) {
    parameter = static_cast<float>(parameter);
  }
  return spec;
}

BlendKernel kernel(const std::string& source, const std::string& target = "relu") {
  const auto found = BlendKernel::find(single(source), single(target));
  EXPECT_TRUE(found.has_value()) << source << " to " << target;
  return *found;
}

// Every 65521st float of all, the tails, kinks with their neighbours, zeros, denormals.
std::vector<float> sample() {
  std::vector<float> xs;
  for (std::uint64_t bits = 0; bits <= UINT32_MAX; bits += 65521) {
    const auto x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (!std::isnan(x)) {
      xs.push_back(x);
    }
  }
  for (const float at : {0.0F, 1e-45F, 1e-39F, 2.0F, 3.0F, 6.0F, 20.0F, 44.0F, 88.0F, 89.0F, 100.0F,
                         104.0F, 1000.0F, kInfinity}) {
    for (const float x : {at, std::nextafter(at, 0.0F), std::nextafter(at, kInfinity)}) {
      xs.push_back(x);
      xs.push_back(-x);
    }
  }
  return xs;
}

struct Results {
  std::vector<float> value;
  std::vector<float> gradient;
};

Results run(const BlendKernel& blend, double t, const std::vector<float>& x,
            const std::vector<float>& gradient) {
  Results results{std::vector<float>(x.size()), std::vector<float>(x.size())};
  const auto n = static_cast<std::int64_t>(x.size());
  blend.forward(Element::float32, t, x.data(), results.value.data(), 0, n);
  blend.backward(Element::float32, t, x.data(), gradient.data(), results.gradient.data(), 0, n);
  return results;
}

// The last place of a float32 near the exact result, which is 2^-149 among the denormals.
double unit(double exact) {
  return std::ldexp(1.0, std::max(std::ilogb(exact), -126) - 23);
}

TEST(BlendKernel, RowsAreTheTables) {
  const auto xs = sample();
  const std::vector<float> ones(xs.size(), 1.0F);
  for_each_instruction_set([&](const std::string& set) {
    for (const auto& name : sources()) {
      const auto spec = single(name);
      const auto results = run(kernel(name), 0.0, xs, ones);
      for (std::size_t i = 0; i < xs.size(); ++i) {
        const double value = spec.value(xs[i]);
        const double derivative = spec.derivative(xs[i]);
        if (std::isinf(static_cast<float>(value))) {
          EXPECT_EQ(results.value[i], static_cast<float>(value)) << set << " " << name;
        } else {
          EXPECT_LE(std::abs(results.value[i] - value), 4.0 * unit(value))
              << set << " " << name << " at " << xs[i];
        }
        EXPECT_NEAR(results.gradient[i], derivative, 3e-7 * std::max(std::abs(derivative), 1.0))
            << set << " derivative of " << name << " at " << xs[i];
      }
    }
  });
}

TEST(BlendKernel, NanStaysNan) {
  const std::vector<float> xs(5, std::numeric_limits<float>::quiet_NaN());
  for_each_instruction_set([&](const std::string& set) {
    for (const auto& source : sources()) {
      for (const double t : {0.0, 0.5}) {
        const auto results = run(kernel(source), t, xs, xs);
        EXPECT_TRUE(std::isnan(results.value[4])) << set << " " << source;
        EXPECT_TRUE(std::isnan(results.gradient[4])) << set << " " << source;
      }
    }
    for (const auto& target : targets()) {
      EXPECT_TRUE(std::isnan(run(kernel("tanh", target), 1.0, xs, xs).value[4])) << set << target;
    }
  });
}

// Sizes off every vector's width, starts off its alignment.
TEST(BlendKernel, BlendsAreTheFormula) {
  std::mt19937 generator(3);
  std::normal_distribution<float> normal(0.0F, 3.0F);
  for_each_instruction_set([&](const std::string& set) {
    for (const auto& source : sources()) {
      for (const auto& target : targets()) {
        const auto blend = kernel(source, target);
        const auto from = single(source);
        const auto to = single(target);
        for (const std::size_t size : {1, 3, 17, 1024, 1031}) {
          std::vector<float> x(size);
          std::vector<float> g(size);
          std::generate(x.begin(), x.end(), [&] { return normal(generator); });
          std::generate(g.begin(), g.end(), [&] { return normal(generator); });
          for (const double t : {0.0, 0.25, 1.0}) {
            const auto results = run(blend, t, x, g);
            for (std::size_t i = 0; i < size; ++i) {
              const double value = (1.0 - t) * from.value(x[i]) + t * to.value(x[i]);
              const double slope = (1.0 - t) * from.derivative(x[i]) + t * to.derivative(x[i]);
              ASSERT_NEAR(results.value[i], value, 4e-7 * std::max(1.0, std::abs(value)))
                  << set << " " << source << " to " << target << " at " << x[i] << ", t " << t;
              ASSERT_NEAR(results.gradient[i], g[i] * slope, 4e-7 * std::max(1.0F, std::abs(g[i])))
                  << set << " " << source << " to " << target << " at " << x[i] << ", t " << t;
            }
          }
        }
      }
    }
  });
}

TEST(BlendKernel, EndsAreTheSingleFunction) {
  const auto xs = sample();
  const std::vector<float> ones(xs.size(), 1.0F);
  const auto blended = run(kernel("mish", "leaky_relu"), 1.0, xs, ones);
  const auto alone = run(kernel("leaky_relu", "relu"), 0.0, xs, ones);
  EXPECT_EQ(blended.value, alone.value);
  EXPECT_EQ(blended.gradient, alone.gradient);
  EXPECT_EQ(run(kernel("mish", "relu"), -0.5, xs, ones).value,
            run(kernel("mish", "relu"), 0.0, xs, ones).value);
}

TEST(BlendKernel, InfinityGoesByTheFormula) {
  const std::vector<float> xs = {kInfinity, -kInfinity};
  const std::vector<float> ones(2, 1.0F);
  for_each_instruction_set([&](const std::string& set) {
    for (const auto& source : sources()) {
      const auto from = single(source);
      const auto results = run(kernel(source), 0.5, xs, ones);
      for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(results.value[i],
                  static_cast<float>(0.5 * from.value(xs[i]) + 0.5 * std::max(xs[i], 0.0F)))
            << set << " " << source;
        EXPECT_FLOAT_EQ(results.gradient[i],
                        static_cast<float>(0.5 * from.derivative(xs[i]) + (i == 0 ? 0.5 : 0.0)))
            << set << " " << source;
      }
    }
  });
}

TEST(BlendKernel, SplitsChangeNothing) {
  const auto xs = sample();
  const std::vector<float> ones(xs.size(), 1.0F);
  const auto whole = run(kernel("gelu", "hard_mish"), 0.4, xs, ones);
  std::vector<float> parts(xs.size());
  const auto n = static_cast<std::int64_t>(xs.size());
  for (std::int64_t begin = 0; begin < n; begin += 777) {
    kernel("gelu", "hard_mish")
        .forward(Element::float32, 0.4, xs.data(), parts.data(), begin, std::min(n, begin + 777));
  }
  EXPECT_EQ(parts, whole.value);
}

// Large arrays are written past the caches, if they are aligned.
TEST(BlendKernel, LargeArraysAreTheSame) {
  constexpr std::size_t kSize = (std::size_t{1} << 22) + 37;
  std::vector<float> x(kSize);
  for (std::size_t i = 0; i < kSize; ++i) {
    x[i] = static_cast<float>(i % 9973) / 1000.0F - 5.0F;
  }
  const std::vector<float> g(kSize, 0.5F);
  const auto blend = kernel("mish", "relu");
  for (const std::size_t offset : {std::size_t{0}, std::size_t{1}}) {
    std::vector<float> memory(kSize + 32);
    float* const aligned =
        memory.data() + (-reinterpret_cast<std::uintptr_t>(memory.data()) % 64) / 4;
    float* const out = aligned + offset;
    std::vector<float> parts(kSize);
    for (const bool backward : {false, true}) {
      const auto run_part = [&](float* to, std::size_t begin, std::size_t end) {
        const auto first = static_cast<std::int64_t>(begin);
        const auto last = static_cast<std::int64_t>(end);
        if (backward) {
          blend.backward(Element::float32, 0.5, x.data(), g.data(), to, first, last);
        } else {
          blend.forward(Element::float32, 0.5, x.data(), to, first, last);
        }
      };
      run_part(out, 0, kSize);
      for (std::size_t begin = 0; begin < kSize; begin += 100000) {
        run_part(parts.data(), begin, std::min(kSize, begin + 100000));
      }
      EXPECT_TRUE(std::equal(parts.begin(), parts.end(), out)) << offset << backward;
      EXPECT_EQ(out[kSize], 0.0F);
    }
  }
}

TEST(BlendKernel, OutputMayBeTheInput) {
  const auto xs = sample();
  const std::vector<float> ones(xs.size(), 1.0F);
  const auto apart = run(kernel("mish", "hardswish"), 0.4, xs, ones);
  auto in_place = xs;
  const auto n = static_cast<std::int64_t>(xs.size());
  kernel("mish", "hardswish")
      .forward(Element::float32, 0.4, in_place.data(), in_place.data(), 0, n);
  EXPECT_EQ(in_place, apart.value);
}

TEST(BlendKernel, KnowsWhatItCannotDo) {
  EXPECT_TRUE(has_source_kernel(*resolve("swish").activation));
  EXPECT_TRUE(has_target_kernel(*resolve("relu6").activation));
  EXPECT_FALSE(has_target_kernel(*resolve("mish").activation));
  EXPECT_FALSE(has_source_kernel(*resolve("softsign").activation));
  EXPECT_FALSE(BlendKernel::find(resolve("softsign"), resolve("relu")));
  EXPECT_FALSE(BlendKernel::find(resolve("mish"), resolve("silu")));
  EXPECT_FALSE(BlendKernel::find(resolve("celu(-1)"), resolve("relu")));
  EXPECT_FALSE(BlendKernel::find(resolve("swish(0)"), resolve("relu")));
  EXPECT_FALSE(BlendKernel::find(resolve("elu(1e30)"), resolve("relu")));
}

}  // namespace
}  // namespace actswap
