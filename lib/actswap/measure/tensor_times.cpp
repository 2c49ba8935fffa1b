#include <actswap/base/clock.h>
#include <actswap/graph/model.h>
#include <actswap/graph/reload.h>
#include <actswap/measure/median.h>
#include <actswap/measure/tensor_times.h>
#include <actswap/run/model_run.h>

#include <ATen/record_function.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <unordered_set>

namespace actswap {

namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::unordered_map<const void*, double>;

constexpr int kWarmup = 3;

// Of one round, on this thread. Operators call others; only the outermost count.
struct Round {
  std::unordered_set<const void*> known;
  Milliseconds spent;
  int depth = 0;
};
thread_local Round* current = nullptr;

struct Outermost : at::ObserverContext {
  const void* memory = nullptr;
  Clock::time_point begin;
};

// The interpreter hands over its whole stack: an operator's arguments are at its end.
const void* known_argument(const at::RecordFunction& call) {
  const auto schema = call.operator_schema();
  const auto inputs = call.inputs();
  const auto count = std::min(schema ? schema->arguments().size() : inputs.size(), inputs.size());
  for (const auto& input : inputs.slice(inputs.size() - count)) {
    if (input.isTensor() && input.toTensor().defined() && input.toTensor().has_storage()) {
      const auto* memory = input.toTensor().storage().data();
      if (current->known.contains(memory)) {
        return memory;
      }
    }
  }
  return nullptr;
}

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& call) {
  auto context = std::make_unique<Outermost>();
  if (current->depth++ == 0) {
    context->memory = known_argument(call);
    context->begin = Clock::now();
  }
  return context;
}

void end(const at::RecordFunction& /*call*/, at::ObserverContext* context) {
  const auto& outermost = static_cast<const Outermost&>(*context);
  --current->depth;
  if (outermost.memory != nullptr) {
    current->spent[outermost.memory] += milliseconds_since(outermost.begin);
  }
}

class ObservedHere {
 public:
  explicit ObservedHere(Round& round)
      : handle_(at::addThreadLocalCallback(at::RecordFunctionCallback(begin, end)
                                               .needsInputs(true)
                                               .scopes({at::RecordScope::FUNCTION}))) {
    current = &round;
  }
  ~ObservedHere() {
    at::removeCallback(handle_);
    current = nullptr;
  }
  ObservedHere(const ObservedHere&) = delete;
  ObservedHere& operator=(const ObservedHere&) = delete;

 private:
  at::CallbackHandle handle_;
};

}  // namespace

Milliseconds tensor_milliseconds(const torch::jit::Module& module,
                                 const std::vector<torch::Tensor>& inputs, std::int64_t rounds) {
  Round round;
  const auto add = [&](const torch::Tensor& tensor) {
    round.known.insert(tensor.storage().data());
  };
  for (const torch::Tensor& parameter : module.parameters()) {
    add(parameter);
  }
  for (const torch::Tensor& buffer : module.buffers()) {
    add(buffer);
  }
  auto copy = recompile(module);
  copy.eval();
  ModelRun run(copy);
  for (int i = 0; i < kWarmup; ++i) {
    run(inputs);
  }
  std::unordered_map<const void*, std::vector<double>> all;
  for (std::int64_t i = 0; i < rounds; ++i) {
    round.spent.clear();
    const ObservedHere here(round);
    run(inputs);
    for (const auto& [memory, spent] : round.spent) {
      all[memory].push_back(spent);
    }
  }
  Milliseconds medians;
  for (const auto& [memory, spent] : all) {
    medians.emplace(memory, median(spent));
  }
  return medians;
}

}  // namespace actswap
