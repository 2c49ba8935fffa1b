// How exact the kernels are: every float32 (all 2^32, or each STEP-th) through every row that has a
// kernel, value and derivative, against the table's functions in double.
//
//   ulp [STEP [ROW...]]        STEP 1 takes some minutes for each row and instruction set
//
// ulp: units in the last place of the exact result; of 2^-142 where that is below 2^-119, since a
// factor of up to 104 enlarges the rounding of a denormal e^x. A derivative crosses 0; there the
// last place is no measure, and the error is given as a part of max(|result|, 1) too.
#include <actswap/activation/activation.h>
#include <actswap/kernel/blend_kernel.h>
#include <hwy/targets.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

using actswap::ActivationSpec;
using actswap::BlendKernel;

struct Errors {
  double largest_ulp = 0.0;
  float at = 0.0F;
  double largest = 0.0;  // of max(|result|, 1)
  double sum_ulp = 0.0;
  std::uint64_t count = 0;
  std::uint64_t not_finite = 0;  // NaN or infinite where the exact result is not, or otherwise

  void add(float x, float result, double exact) {
    ++count;
    if (std::isnan(exact) || std::isinf(static_cast<float>(exact))) {
      const auto rounded = static_cast<float>(exact);
      not_finite += std::isnan(exact) ? !std::isnan(result) : result != rounded;
      return;
    }
    if (!std::isfinite(result)) {
      ++not_finite;
      return;
    }
    const double error = std::abs(result - exact);
    const double ulp = error / std::ldexp(1.0, std::max(std::ilogb(exact), -119) - 23);
    if (exact == 0.0 ? error > 0.0 && largest_ulp == 0.0 : ulp > largest_ulp) {
      largest_ulp = ulp;
      at = x;
    }
    largest = std::max(largest, error / std::max(std::abs(exact), 1.0));
    sum_ulp += ulp;
  }

  void add(const Errors& other) {
    if (other.largest_ulp > largest_ulp) {
      largest_ulp = other.largest_ulp;
      at = other.at;
    }
    largest = std::max(largest, other.largest);
    sum_ulp += other.sum_ulp;
    count += other.count;
    not_finite += other.not_finite;
  }
};

struct RowErrors {
  Errors value;
  Errors derivative;
};

// Parameters as the kernel has them.
ActivationSpec single(ActivationSpec spec) {
  for (double& parameter : spec.parameters) {
    parameter = static_cast<float>(parameter);
  }
  return spec;
}

RowErrors measure(const ActivationSpec& spec, const BlendKernel& kernel, std::uint64_t first,
                  std::uint64_t step) {
  constexpr std::size_t kChunk = 4096;
  std::vector<float> x;
  std::vector<float> ones(kChunk, 1.0F);
  std::vector<float> value(kChunk);
  std::vector<float> derivative(kChunk);
  RowErrors errors;
  for (std::uint64_t next = first; next <= UINT32_MAX;) {
    x.clear();
    for (; next <= UINT32_MAX && x.size() < kChunk; next += step) {
      x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(next)));
    }
    const auto n = static_cast<std::int64_t>(x.size());
    const auto float32 = actswap::Element::float32;
    kernel.forward(float32, 0.0, nullptr, x.data(), value.data(), 0, n);
    kernel.backward(float32, 0.0, nullptr, x.data(), ones.data(), derivative.data(), nullptr, 0, n);
    for (std::size_t i = 0; i < x.size(); ++i) {
      errors.value.add(x[i], value[i], spec.value(x[i]));
      if (!std::isnan(x[i])) {  // what the derivative of a step is there is no matter
        errors.derivative.add(x[i], derivative[i], spec.derivative(x[i]));
      }
    }
  }
  return errors;
}

RowErrors measure(const ActivationSpec& spec, const BlendKernel& kernel, std::uint64_t step) {
  const std::uint64_t count = std::max(1U, std::thread::hardware_concurrency());
  std::vector<RowErrors> parts(count);
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] { parts[i] = measure(spec, kernel, i * step, count * step); });
  }
  RowErrors all;
  for (std::uint64_t i = 0; i < count; ++i) {
    threads[i].join();
    all.value.add(parts[i].value);
    all.derivative.add(parts[i].derivative);
  }
  return all;
}

void print(const char* set, const std::string& row, const char* what, const Errors& errors) {
  std::printf("| %-5s | %-12s | %-10s | %9.3g | %13.6g | %8.3f | %9.2g | %llu |\n", set,
              row.c_str(), what, errors.largest_ulp, errors.at,
              errors.sum_ulp / static_cast<double>(errors.count), errors.largest,
              static_cast<unsigned long long>(errors.not_finite));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t step = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  std::vector<std::string> rows(argv + std::min(argc, 2), argv + argc);
  if (rows.empty()) {
    for (const auto& row : actswap::activations()) {
      if (actswap::has_source_kernel(row)) {
        rows.push_back(actswap::resolve(row.name).to_string());
      }
    }
    rows.emplace_back("quick_gelu");
  }
  std::printf(
      "| set | row | of | largest ulp | at | mean ulp | largest / max(1, f) | not finite |\n"
      "|---|---|---|---|---|---|---|---|\n");
  const auto supported = static_cast<std::uint64_t>(hwy::SupportedTargets());
  for (std::uint64_t bit = 1; step > 0 && bit < (std::uint64_t{1} << 62); bit <<= 1) {
    // What the kernels are not compiled for would be done by what comes next.
    if ((supported & bit) == 0 || (bit & HWY_SSSE3) != 0) {
      continue;
    }
    hwy::SetSupportedTargetsForTest(static_cast<std::int64_t>(bit));
    for (const auto& name : rows) {
      const ActivationSpec spec = single(actswap::resolve(name));
      const auto kernel = BlendKernel::find(spec, actswap::resolve("relu"));
      const RowErrors errors = measure(spec, *kernel, step);
      print(actswap::kernel_instruction_set(), name, "value", errors.value);
      print(actswap::kernel_instruction_set(), name, "derivative", errors.derivative);
    }
  }
  return 0;
}
