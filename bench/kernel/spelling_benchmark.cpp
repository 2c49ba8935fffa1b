// Spellings of hard_mish in stock ATen, as an exported model runs them: forward, without gradients,
// one thread. compare.py prints the table.
//
//   spelling_benchmark [--benchmark_filter=...]        names are layout/expression
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <torch/jit.h>
#include <torch/script.h>

#include <string>

namespace {

constexpr const char* kSpellings[] = {
    "x * torch.clamp(x * 0.5 + 1.0, 0.0, 1.0)",
    "x * torch.clamp(x + 2.0, 0.0, 2.0) * 0.5",
    "x * torch.hardtanh(x * 0.5 + 1.0, 0.0, 1.0)",
    "x * torch.hardsigmoid(x * 3.0 + 3.0)",
    "x * (torch.clamp(x, -2.0, 0.0) * 0.5 + 1.0)",
    "torch.where(x > 0.0, x, x * torch.clamp(x * 0.5 + 1.0, 0.0, 1.0))",
    "(x * 0.5).add_(1.0).clamp_(0.0, 1.0).mul_(x)",
    "torch.hardsigmoid_((x * 3.0).add_(3.0)).mul_(x)",
    "torch.addcmul(x, x, torch.clamp(x, -2.0, 0.0), value=0.5)",
    ("torch.addcmul(torch.clamp_min(x, -2.0), torch.clamp(x, -2.0, 0.0), torch.clamp(x, -2.0, "
     "0.0), "
     "value=0.5)"),
    "torch.relu(x)",  // the floor
};

void measure(benchmark::State& state, const std::string& expression, torch::MemoryFormat format) {
  at::set_num_threads(1);
  const torch::NoGradGuard no_grad;
  const auto unit =
      torch::jit::compile("def f(x: Tensor) -> Tensor:\n    return " + expression + "\n");
  const auto x = torch::randn({32, 64, 28, 28}).contiguous(format);
  for (int i = 0; i < 3; ++i) {  // until the executor has settled
    unit->run_method("f", x);
  }
  for (const auto unused : state) {
    static_cast<void>(unused);
    benchmark::DoNotOptimize(unit->run_method("f", x));
  }
}

void add(const std::string& layout, torch::MemoryFormat format) {
  for (const std::string expression : kSpellings) {
    benchmark::RegisterBenchmark((layout + "/" + expression).c_str(), [=](benchmark::State& state) {
      measure(state, expression, format);
    })->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  add("contiguous", torch::MemoryFormat::Contiguous);
  add("channels_last", torch::MemoryFormat::ChannelsLast);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
