// A training step (forward, cross-entropy, backward, SGD) of a classifier and of the same with
// blends to relu in it, one thread, and the most memory that a step has at a time beside the
// parameters. compare.py prints the ratios. Freed memory is kept unless ACTSWAP_GIVE_BACK is set.
//
//   step_benchmark MODEL.pt INPUT_SHAPE NAME [--benchmark_...]
//
// INPUT_SHAPE is as 32,3,32,32. Names are step/NAME/WHAT: original, or code and t:
// fused_0.5, fused_1, stock_0.5.
#include <actswap/base/memory.h>
#include <actswap/graph/plan.h>
#include <actswap/graph/retarget.h>
#include <benchmark/benchmark.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <torch/script.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace {

using torch::Tensor;

// What LibTorch's allocator gives out and takes back while this is set.
class Memory : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t, c10::Device) override {
    now_ += size;
    peak_ = std::max(peak_, now_);
  }
  bool memoryProfilingEnabled() const override { return true; }
  std::int64_t peak() const { return peak_; }

 private:
  std::int64_t now_ = 0;
  std::int64_t peak_ = 0;
};

class Trainee {
 public:
  Trainee(torch::jit::Module module, const std::vector<std::int64_t>& shape)
      : module_(std::move(module)),
        optimizer_(actswap::distinct_parameters(module_),
                   torch::optim::SGDOptions(1e-3).momentum(0.9)) {
    torch::manual_seed(1);
    x_ = torch::randn(shape);
    label_ = torch::randint(10, {shape[0]}, torch::kLong);
    module_.train();
    for (int i = 0; i < 4; ++i) {  // until executor and optimizer have settled
      step();
    }
  }

  void step() {
    const auto y = module_.forward({x_}).toTensor();
    const auto loss = torch::nn::functional::cross_entropy(y, label_);
    optimizer_.zero_grad();
    loss.backward();
    optimizer_.step();
  }

  std::int64_t peak_memory() {
    const auto memory = std::make_shared<Memory>();
    const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, memory);
    step();
    return memory->peak();
  }

 private:
  torch::jit::Module module_;
  torch::optim::SGD optimizer_;
  Tensor x_;
  Tensor label_;
};

void add(const std::string& name, const std::shared_ptr<Trainee>& trainee) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    for (const auto unused : state) {
      static_cast<void>(unused);
      trainee->step();
    }
    state.counters["peak_memory"] = static_cast<double>(trainee->peak_memory());
  })->Unit(benchmark::kMillisecond);
}

std::vector<std::int64_t> parse_shape(const std::string& text) {
  std::vector<std::int64_t> shape;
  std::istringstream numbers(text);
  for (std::string number; std::getline(numbers, number, ',');) {
    shape.push_back(std::stoll(number));
  }
  return shape;
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 4) {
    std::fprintf(stderr, "usage: step_benchmark MODEL.pt INPUT_SHAPE NAME [--benchmark_...]\n");
    return 2;
  }
  if (std::getenv("ACTSWAP_GIVE_BACK") == nullptr) {
    actswap::keep_freed_memory();
  }
  at::set_num_threads(1);
  const auto shape = parse_shape(argv[2]);
  const std::string prefix = std::string("step/") + argv[3] + "/";
  const auto model = actswap::load(argv[1]);
  const auto plan = actswap::plan(model, {.to = "relu"});
  add(prefix + "original", std::make_shared<Trainee>(model.module, shape));
  const auto add_blended = [&](const char* what, actswap::BlendCode code, double t) {
    actswap::Retargeter swap(model, plan, actswap::Tensors::copied, code);
    swap.set_blend(t);
    add(prefix + what, std::make_shared<Trainee>(swap.module(), shape));
  };
  add_blended("fused_0.5", actswap::BlendCode::fused, 0.5);
  add_blended("fused_1", actswap::BlendCode::fused, 1.0);
  add_blended("stock_0.5", actswap::BlendCode::stock, 0.5);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
