// The operator against ATen's own functions and autograd, over rows, types, layouts and parameters.
#include <ATen/autocast_mode.h>
#include <actswap/activation/activation.h>
#include <actswap/base/error.h>
#include <actswap/kernel/blend_kernel.h>
#include <actswap/kernel/blend_operator.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>
#include <torch/jit.h>
#include <torch/script.h>
#include <torch/utils.h>

#include <chrono>
#include <cmath>
#include <ctime>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace actswap {
namespace {

using torch::Tensor;

Tensor row(const std::string& name, const Tensor& x) {
  const auto unit = torch::jit::compile("def f(x: Tensor) -> Tensor:\n    return " +
                                        resolve(name).torchscript() + "\n");
  return unit->run_method("f", x).toTensor();
}

// The formula in stock operators.
Tensor reference(const Tensor& x, double t, const std::string& source, const std::string& target) {
  return (1.0 - t) * row(source, x) + t * row(target, x);
}

struct Both {
  Tensor value;
  Tensor gradient;
};

Both differentiate(const Tensor& x, const Tensor& weight,
                   const std::function<Tensor(const Tensor&)>& f) {
  const auto leaf = x.detach().requires_grad_();
  const auto y = f(leaf);
  return {y.detach(), torch::autograd::grad({y}, {leaf}, {weight})[0]};
}

void expect_close(const Tensor& actual, const Tensor& expected, double tolerance,
                  const std::string& what) {
  EXPECT_EQ(actual.sizes(), expected.sizes()) << what;
  EXPECT_TRUE(torch::allclose(actual.to(torch::kDouble), expected.to(torch::kDouble), tolerance,
                              tolerance, true))
      << what << ": off by up to "
      << (actual.to(torch::kDouble) - expected.to(torch::kDouble)).abs().nan_to_num(0.0).max();
}

std::vector<std::string> kernel_sources() {
  std::vector<std::string> names = {"silu", "quick_gelu"};
  for (const auto& activation : activations()) {
    if (has_source_kernel(activation)) {
      names.push_back(activation.name);
    }
  }
  return names;
}

std::vector<std::string> kernel_targets() {
  std::vector<std::string> names;
  for (const auto& activation : activations()) {
    if (has_target_kernel(activation)) {
      names.push_back(activation.name);
    }
  }
  return names;
}

// Most of them in the middle, the rest far out; none on a kink, of which a type of 8 bits meets
// many.
Tensor sample(torch::ScalarType type) {
  torch::manual_seed(11);
  const auto middle = 3.0 * torch::randn({997}, torch::kDouble);
  const auto tails = torch::tensor(
      {100.0, -100.0, 1000.0, -1000.0, 44.5, -44.5, 20.5, -20.5, 0.25, -0.25}, torch::kDouble);
  auto x = torch::cat({middle, tails}).to(type);
  for (const double kink : {-3.0, -2.0, 0.0, 3.0, 6.0}) {
    x = torch::where((x - kink).abs() < 1e-5, 0.7, x);
  }
  return x.to(type);
}

double tolerance(torch::ScalarType type) {
  return type == torch::kDouble  ? 1e-9
         : type == torch::kFloat ? 2e-6
         : type == torch::kHalf  ? 4e-3
                                 : 3e-2;
}

TEST(BlendOperator, IsAtenInEveryRowAndType) {
  for (const auto type : {torch::kFloat, torch::kDouble, torch::kBFloat16, torch::kHalf}) {
    const auto x = sample(type);
    const auto weight = torch::randn(x.sizes(), torch::kDouble).to(type);
    for (const auto& source : kernel_sources()) {
      for (const auto& target : kernel_targets()) {
        for (const double t : {0.0, 0.3, 1.0}) {
          const auto actual = differentiate(
              x, weight, [&](const Tensor& in) { return blend(in, t, source, target); });
          // Half types are held to double, from the same inputs.
          const auto expected =
              differentiate(x.to(torch::kDouble), weight.to(torch::kDouble),
                            [&](const Tensor& in) { return reference(in, t, source, target); });
          const auto what = source + " to " + target + " in " + torch::toString(type) + " at t " +
                            std::to_string(t);
          EXPECT_EQ(actual.value.scalar_type(), type) << what;
          EXPECT_EQ(actual.gradient.scalar_type(), type) << what;
          // ATen holds celu's 1 / alpha in single precision.
          const double extra = source == "celu" || source == "hardswish" ? 1e-7 : 0.0;
          expect_close(actual.value, expected.value, tolerance(type) + extra, what);
          expect_close(actual.gradient, expected.gradient, tolerance(type) + extra,
                       "derivative of " + what);
        }
      }
    }
  }
}

TEST(BlendOperator, KeepsLayouts) {
  const auto check = [](const Tensor& x, const std::string& what) {
    const auto weight = torch::randn(x.sizes());
    const auto actual = differentiate(
        x, weight, [](const Tensor& in) { return blend(in, 0.4, "mish", "hard_mish"); });
    const auto expected = differentiate(
        x, weight, [](const Tensor& in) { return reference(in, 0.4, "mish", "hard_mish"); });
    expect_close(actual.value, expected.value, 1e-6, what);
    expect_close(actual.gradient, expected.gradient, 2e-6, what);
    EXPECT_EQ(actual.value.strides(), torch::empty_like(x).strides()) << what;
  };
  const auto image = torch::randn({3, 5, 7, 9});
  check(image, "contiguous");
  check(image.contiguous(torch::MemoryFormat::ChannelsLast), "channels last");
  check(torch::randn({2, 3, 4, 5, 6}).contiguous(torch::MemoryFormat::ChannelsLast3d),
        "channels last 3d");
  check(image.permute({2, 0, 3, 1}), "permuted");
  check(image.slice(3, 0, 9, 2), "strided");
  check(image.slice(1, 1, 3), "narrowed");
  check(torch::randn({5, 1, 7}).expand({5, 4, 7}), "expanded");
  check(torch::randn({4, 6}).t(), "transposed");
  check(torch::randn({}), "of dimension 0");
  check(torch::randn({0, 3}), "empty");
  check(torch::randn({1}), "of one element");
  check(torch::randn({100003}), "long");
}

TEST(BlendOperator, GradientMayBeLaidOutOtherwise) {
  const auto x = torch::randn({2, 8, 5, 5}).contiguous(torch::MemoryFormat::ChannelsLast);
  for (const auto& weight : {torch::randn({2, 8, 5, 5}), torch::ones({}).expand({2, 8, 5, 5})}) {
    const auto actual =
        differentiate(x, weight, [](const Tensor& in) { return blend(in, 0.4, "gelu", "relu"); });
    const auto expected = differentiate(
        x, weight, [](const Tensor& in) { return reference(in, 0.4, "gelu", "relu"); });
    expect_close(actual.gradient, expected.gradient, 2e-6, "gradient");
  }
}

// Central differences in double, off the kinks.
TEST(BlendOperator, GradientIsTheSlope) {
  const auto x = sample(torch::kDouble).slice(0, 0, 400);
  constexpr double kStep = 1e-6;
  for (const auto& source : kernel_sources()) {
    for (const auto& target : kernel_targets()) {
      const auto f = [&](const Tensor& in) { return blend(in, 0.35, source, target); };
      const auto slope = (f(x + kStep) - f(x - kStep)) / (2.0 * kStep);
      const auto analytic = differentiate(x, torch::ones_like(x), f).gradient;
      expect_close(analytic, slope, 1e-6, source + " to " + target);
    }
  }
}

TEST(BlendOperator, SecondDerivativesAreAtens) {
  const auto second = [](const Tensor& x, const std::function<Tensor(const Tensor&)>& f) {
    const auto leaf = x.detach().requires_grad_();
    const auto first = torch::autograd::grad({f(leaf).pow(2).sum()}, {leaf}, {}, true, true)[0];
    return torch::autograd::grad({first.pow(2).sum()}, {leaf})[0];
  };
  const auto x = torch::randn({6, 5}, torch::kDouble);
  for (const char* source : {"mish", "silu", "gelu", "tanh"}) {
    for (const double t : {0.0, 0.4, 1.0}) {
      const auto actual =
          second(x, [&](const Tensor& in) { return blend(in, t, source, "hard_mish"); });
      const auto expected =
          second(x, [&](const Tensor& in) { return reference(in, t, source, "hard_mish"); });
      expect_close(actual, expected, 1e-9, source);
    }
  }
}

TEST(BlendOperator, InfinityAndNan) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const auto x = torch::tensor({kInf, -kInf, std::nanf("")});
  for (const double t : {0.0, 0.5}) {
    const auto y = blend(x, t, "mish", "relu");
    EXPECT_EQ(y[0].item<float>(), kInf);
    EXPECT_EQ(y[1].item<float>(), 0.0F);
    EXPECT_TRUE(std::isnan(y[2].item<float>()));
  }
  for (const auto type : {torch::kHalf, torch::kBFloat16}) {
    // What a type cannot hold is infinite in it, and its largest number is not.
    const auto ends = torch::tensor({65504.0, -65504.0, 3e38}, torch::kDouble).to(type);
    EXPECT_TRUE(torch::equal(blend(ends, 1.0, "mish", "relu"), torch::relu(ends)));
    EXPECT_TRUE(blend(x.to(type), 0.5, "mish", "relu")[2].isnan().item<bool>());
  }
}

// Every number of 16 bits.
TEST(BlendOperator, HalfTypesAreReadAndRoundedRight) {
  const auto bits = torch::arange(-32768, 32768, torch::kInt).to(torch::kShort);
  for (const auto type : {torch::kHalf, torch::kBFloat16}) {
    const auto x = bits.view(type);
    const auto y = blend(x, 0.0, "relu", "relu");
    EXPECT_TRUE(torch::equal(y.nan_to_num(7.0), torch::relu(x).nan_to_num(7.0)));
    const auto z = blend(x, 0.0, "leaky_relu(0.3)", "relu");
    EXPECT_TRUE(torch::equal(z.nan_to_num(7.0),
                             torch::leaky_relu(x.to(torch::kFloat), 0.3).to(type).nan_to_num(7.0)));
  }
}

TEST(BlendOperator, ThreadsChangeNoElement) {
  const auto x = torch::randn({16, 24, 61, 61});
  const auto run = [&] {
    return differentiate(x, x, [](const Tensor& in) { return blend(in, 0.3, "mish", "relu"); });
  };
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = run();
  at::set_num_threads(2);
  const auto two = run();
  at::set_num_threads(before);
  EXPECT_TRUE(torch::equal(one.value, two.value));
  EXPECT_TRUE(torch::equal(one.gradient, two.gradient));
}

double seconds_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// By processor time. Threads wait for each other and for work by spinning, for some 200 ms, which
// counts as work: so there is a pause before each try, and of several tries the best counts, as a
// busy machine makes threads wait.
TEST(BlendOperator, RunsOnSeveralThreads) {
  const auto x = torch::randn({1 << 22});
  const auto gradient = torch::ones_like(x);
  const int before = at::get_num_threads();
  for (const bool backward : {false, true}) {
    const auto share_of_others = [&](int threads) {
      at::set_num_threads(1);
      const auto leaf = x.detach().requires_grad_(backward);
      auto y = blend(leaf, 0.3, "mish", "relu");
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
      at::set_num_threads(threads);
      double mine = -seconds_of(CLOCK_THREAD_CPUTIME_ID);
      double all = -seconds_of(CLOCK_PROCESS_CPUTIME_ID);
      if (backward) {
        torch::autograd::grad({y}, {leaf}, {gradient});
      } else {
        y = blend(leaf, 0.3, "mish", "relu");
      }
      mine += seconds_of(CLOCK_THREAD_CPUTIME_ID);
      all += seconds_of(CLOCK_PROCESS_CPUTIME_ID);
      return 1.0 - mine / all;
    };
    EXPECT_LT(share_of_others(1), 0.1) << backward;
    double share = 0.0;
    for (int tries = 0; tries < 20 && share <= 0.25; ++tries) {
      share = std::max(share, share_of_others(2));
    }
    EXPECT_GT(share, 0.25) << backward;
  }
  at::set_num_threads(before);
}

TEST(BlendOperator, WhatHasNoKernelIsComposed) {
  const auto x = torch::randn({50}, torch::kDouble);
  const auto weight = torch::randn({50}, torch::kDouble);
  for (const auto& [source, target] :
       {std::pair<std::string, std::string>{"softsign", "relu"}, {"mish", "silu"}}) {
    for (const double t : {0.0, 0.4, 1.0}) {
      const auto actual =
          differentiate(x, weight, [&](const Tensor& in) { return blend(in, t, source, target); });
      const auto expected = differentiate(
          x, weight, [&](const Tensor& in) { return reference(in, t, source, target); });
      expect_close(actual.value, expected.value, 1e-12, source);
      expect_close(actual.gradient, expected.gradient, 1e-12, source);
    }
  }
  EXPECT_THROW(blend(torch::ones({3}, torch::kInt), 0.5, "mish", "relu"), c10::Error);
}

// The memory that a graph keeps alive is x's own: writing to x is noticed, writing to y is not.
TEST(BlendOperator, SavesTheInputAlone) {
  const auto change = [](const Tensor& tensor) {
    const torch::NoGradGuard no_grad;
    tensor.add_(1.0);
  };
  const auto x = torch::randn({1000}).requires_grad_();
  const auto y = blend(x, 0.5, "mish", "relu");
  change(y);
  EXPECT_NO_THROW(y.sum().backward({}, true));
  change(x);
  EXPECT_THROW(y.sum().backward(), c10::Error);
}

TEST(BlendOperator, GraphsAreFreedByBackward) {
  const auto y = blend(torch::randn({10}).requires_grad_(), 0.5, "mish", "relu").sum();
  y.backward();
  EXPECT_THROW(y.backward(), c10::Error);
}

// Backends other than plain memory of the CPU take ATen's operators: here oneDNN's own layout.
TEST(BlendOperator, OtherBackendsAreComposed) {
  const auto x = torch::randn({2, 4, 5, 5});
  for (const double t : {0.0, 0.3, 1.0}) {
    const auto y = blend(x.to_mkldnn(), t, "gelu", "relu");
    EXPECT_EQ(y.layout(), torch::kMkldnn);
    expect_close(y.to_dense(), reference(x, t, "gelu", "relu"), 1e-5, std::to_string(t));
  }
}

// Makes "actswap" in TorchScript source the namespace of the operator.
struct Namespace : torch::jit::Resolver {
  std::shared_ptr<torch::jit::SugaredValue> resolveValue(
      const std::string& name, torch::jit::GraphFunction& method,
      const torch::jit::SourceRange& at) override {
    return name == "actswap" ? std::make_shared<torch::jit::BuiltinModule>("actswap")
                             : torch::jit::nativeResolver()->resolveValue(name, method, at);
  }
};

TEST(BlendOperator, RunsInTorchScript) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  unit->define(std::nullopt, R"(
def f(x: Tensor, t: float) -> Tensor:
    y = actswap.blend(x, t, "mish", "relu")
    return actswap.blend(y, t, "silu", "hard_mish")
)",
               std::make_shared<Namespace>(), nullptr);
  for (int repeat = 0; repeat < 4; ++repeat) {  // the executor optimises what it has seen
    const auto x = torch::randn({5, 7}).requires_grad_();
    const auto y = unit->run_method("f", x, 0.3).toTensor();
    const auto z = reference(reference(x, 0.3, "mish", "relu"), 0.3, "silu", "hard_mish");
    expect_close(y, z, 1e-5, "value");
    expect_close(torch::autograd::grad({y.sum()}, {x})[0], torch::autograd::grad({z.sum()}, {x})[0],
                 1e-5, "gradient");
  }
}

TEST(BlendOperator, RunsUnderAutocast) {
  const auto weight = torch::randn({8, 8}).requires_grad_();
  const auto x = torch::randn({4, 8});
  at::autocast::set_autocast_enabled(at::kCPU, true);
  at::autocast::set_autocast_dtype(at::kCPU, torch::kBFloat16);
  const auto y = blend(torch::mm(x, weight), 0.5, "mish", "relu");
  at::autocast::set_autocast_enabled(at::kCPU, false);
  at::autocast::clear_cache();
  EXPECT_EQ(y.scalar_type(), torch::kBFloat16);
  y.sum().backward();
  expect_close(y, reference(torch::mm(x, weight), 0.5, "mish", "relu"), 0.1, "value");
  EXPECT_EQ(weight.grad().scalar_type(), torch::kFloat);
}

// As a checkpoint does it: forward without gradients, and again when backward comes.
TEST(BlendOperator, CanBeRecomputed) {
  const auto x = torch::randn({100});
  Tensor first;
  {
    const torch::NoGradGuard no_grad;
    first = blend(x, 0.5, "mish", "relu");
  }
  const auto again = blend(x.detach().requires_grad_(), 0.5, "mish", "relu");
  EXPECT_FALSE(first.requires_grad());
  EXPECT_TRUE(again.requires_grad());
  EXPECT_TRUE(torch::equal(first, again.detach()));
}

TEST(BlendOperator, HasShapesOnMeta) {
  const auto y = blend(torch::empty({2, 3}, torch::kMeta), 0.5, "mish", "relu");
  EXPECT_EQ(y.sizes(), torch::IntArrayRef({2, 3}));
  EXPECT_TRUE(y.is_meta());
  const auto x = torch::empty({2, 3}, torch::kMeta).requires_grad_();
  blend(x, 0.5, "mish", "relu").sum().backward();
  EXPECT_EQ(x.grad().sizes(), x.sizes());
}

TEST(BlendOperator, SaysWhichNameIsUnknown) {
  EXPECT_THROW(blend(torch::ones({1}), 0.5, "mishh", "relu"), UsageError);
}

}  // namespace
}  // namespace actswap
