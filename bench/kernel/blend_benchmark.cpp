// What a blend costs, forward and backward, beside ATen's own functions; compare.py prints the
// ratios.
//
//   blend_benchmark [--benchmark_filter=...]        names are what/row/elements/threads
//
// What: aten (the source alone), relu (ATen's, the practical floor), lerp (of ATen's two functions)
// and blend (the operator); from the row's name to relu. ACTSWAP_WITHOUT names instruction sets
// to leave out: "AVX3" measures AVX2. Freed memory is kept, since fresh pages for tensors of 64 MiB
// would cost more than what is measured.
#include <actswap/activation/activation.h>
#include <actswap/base/memory.h>
#include <actswap/kernel/blend_kernel.h>
#include <actswap/kernel/blend_operator.h>
#include <benchmark/benchmark.h>
#include <hwy/targets.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/jit.h>
#include <torch/script.h>
#include <torch/utils.h>
#include <torch/version.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

using torch::Tensor;
using Function = std::function<Tensor(const Tensor&)>;

Function expression(const std::string& text) {
  const auto unit = torch::jit::compile("def f(x: Tensor) -> Tensor:\n    return " + text + "\n");
  return [unit](const Tensor& x) { return unit->run_method("f", x).toTensor(); };
}

// ATen's function, called directly where it has one.
Function aten(const std::string& row) {
  static const std::map<std::string, Function> kFunctions = {
      {"relu", [](const Tensor& x) { return torch::relu(x); }},
      {"mish", [](const Tensor& x) { return torch::mish(x); }},
      {"silu", [](const Tensor& x) { return torch::silu(x); }},
      {"gelu", [](const Tensor& x) { return torch::gelu(x); }},
      {"gelu_tanh", [](const Tensor& x) { return torch::gelu(x, "tanh"); }},
      {"elu", [](const Tensor& x) { return torch::elu(x); }},
      {"softplus", [](const Tensor& x) { return torch::softplus(x); }},
      {"tanh", [](const Tensor& x) { return torch::tanh(x); }},
      {"hardswish", [](const Tensor& x) { return torch::hardswish(x); }},
  };
  const auto known = kFunctions.find(row);
  return known != kFunctions.end() ? known->second
                                   : expression(actswap::resolve(row).torchscript());
}

void measure(benchmark::State& state, const Function& function, std::int64_t size, int threads) {
  at::set_num_threads(threads);
  torch::manual_seed(1);
  const auto x = torch::randn({size}).requires_grad_();
  const auto gradient = torch::randn({size});
  for (const auto unused : state) {
    static_cast<void>(unused);
    const auto y = function(x);
    benchmark::DoNotOptimize(torch::autograd::grad({y}, {x}, {gradient}));
  }
}

void add(const std::string& what, const std::string& row, const Function& function,
         std::int64_t size, int threads) {
  const auto name = what + "/" + row + "/" + std::to_string(size) + "/" + std::to_string(threads);
  benchmark::RegisterBenchmark(
      name.c_str(), [=](benchmark::State& state) { measure(state, function, size, threads); })
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
}

void add_all() {
  const std::vector<std::string> rows = {"mish", "silu",       "gelu", "gelu_tanh",
                                         "aptx", "swish_mish", "elu",  "softplus",
                                         "tanh", "hardswish"};
  for (const std::int64_t size : {1 << 14, 1 << 20, 1 << 24}) {
    add("relu", "relu", aten("relu"), size, 1);
    if (size == 1 << 24) {
      add("relu", "relu", aten("relu"), size, 2);  // what memory allows
    }
    for (const auto& row : rows) {
      const auto source = aten(row);
      const auto blend = [row](const Tensor& x) { return actswap::blend(x, 0.5, row, "relu"); };
      add("aten", row, source, size, 1);
      add(
          "lerp", row,
          [source](const Tensor& x) { return torch::lerp(source(x), torch::relu(x), 0.5); }, size,
          1);
      add("blend", row, blend, size, 1);
      if (size == 1 << 24) {
        add("blend", row, blend, size, 2);
      }
    }
  }
}

// The sets that stand in ACTSWAP_WITHOUT are taken for missing.
void leave_out_instruction_sets() {
  const char* const names = std::getenv("ACTSWAP_WITHOUT");
  if (names == nullptr) {
    return;
  }
  std::int64_t left = hwy::SupportedTargets();
  if (std::string_view(names).find("AVX3") != std::string_view::npos) {
    left &= ~(HWY_AVX3 | HWY_AVX3_DL);
  }
  if (std::string_view(names).find("AVX2") != std::string_view::npos) {
    left &= ~HWY_AVX2;
  }
  hwy::SetSupportedTargetsForTest(left);
}

}  // namespace

int main(int argc, char** argv) {
  actswap::keep_freed_memory();
  benchmark::Initialize(&argc, argv);
  leave_out_instruction_sets();
  benchmark::AddCustomContext("instruction_set", actswap::kernel_instruction_set());
  benchmark::AddCustomContext("libtorch", TORCH_VERSION);
  add_all();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
