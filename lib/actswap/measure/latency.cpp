#include <actswap/base/error.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/graph/model.h>
#include <actswap/measure/latency.h>
#include <actswap/measure/timed_runs.h>
#include <actswap/run/model_run.h>

#include <torch/script.h>

namespace actswap {

namespace {

// Each model gets its own code: freezing and optimizing change graphs, the caller's module must
// keep its mode, and an executor that specialised itself on training must not be measured.
torch::jit::Module prepare(const torch::jit::Module& module, RuntimeSetting setting) {
  auto copy = recompile(module);
  copy.eval();
  if (setting == RuntimeSetting::plain) {
    return copy;
  }
  try {
    return setting == RuntimeSetting::frozen ? torch::jit::freeze(copy)
                                             : torch::jit::optimize_for_inference(copy);
  } catch (const c10::Error& error) {
    throw UsageError("The model cannot be made " + to_string(setting) + ": " +
                     libtorch_cause(error.what_without_backtrace()));
  } catch (const std::exception& error) {
    throw UsageError("The model cannot be made " + to_string(setting) + ": " +
                     libtorch_cause(error.what()));
  }
}

void validate(const LatencyOptions& options) {
  if (options.rounds < 1) {
    throw UsageError("Expected rounds > 0, but got " + std::to_string(options.rounds));
  }
  if (options.warmup < 0) {
    throw UsageError("Expected warmup >= 0, but got " + std::to_string(options.warmup));
  }
}

}  // namespace

std::string to_string(RuntimeSetting setting) {
  switch (setting) {
    case RuntimeSetting::plain:
      return "plain";
    case RuntimeSetting::frozen:
      return "frozen";
    case RuntimeSetting::optimized:
      return "optimized";
  }
  return "";
}

std::vector<Latency> measure_latency(const std::vector<torch::jit::Module>& models,
                                     const std::vector<torch::Tensor>& inputs,
                                     RuntimeSetting setting, const LatencyOptions& options) {
  validate(options);
  std::vector<ModelRun> runs;
  runs.reserve(models.size());
  for (const auto& model : models) {
    runs.emplace_back(prepare(model, setting));
  }
  for (auto& run : runs) {
    for (std::int64_t i = 0; i < options.warmup; ++i) {
      run(inputs);
    }
  }
  std::vector<TimedRuns> times(models.size());
  for (std::int64_t round = 0; round < options.rounds; ++round) {
    // The order rotates: who runs first in a round finds other caches than who runs last.
    for (std::size_t k = 0; k < models.size(); ++k) {
      const auto i = (static_cast<std::size_t>(round) + k) % models.size();
      runs[i](inputs);
      times[i].wall_ms.push_back(runs[i].milliseconds());
      times[i].processor_ms += runs[i].processor_milliseconds();
    }
  }
  return summarise(times);
}

}  // namespace actswap
