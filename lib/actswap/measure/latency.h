// Times models in turn, so that a machine whose speed drifts affects all of them equally.
#pragma once

#include <actswap/base/export.h>
#include <actswap/measure/median.h>

#include <torch/script.h>

#include <cstdint>
#include <string>
#include <vector>

namespace actswap {

struct LatencyOptions {
  std::int64_t rounds = 20;  ///< timed runs of each model, interleaved; > 0
  std::int64_t warmup = 3;   ///< runs of each model before; >= 0
};

/// The settings of the runtime under which a model is run.
enum class RuntimeSetting { plain, frozen, optimized };
ACTSWAP_API std::string to_string(RuntimeSetting setting);

struct Latency {
  double median_ms = 0.0;
  double minimum_ms = 0.0;
  MedianInterval interval_ms = {};  ///< of the median
  /// Median over the rounds of this model's time divided by the first model's in the same round.
  double ratio_to_first = 1.0;
  MedianInterval ratio_interval = {1.0, 1.0};
  std::vector<double> runs_ms = {};  ///< of each timed run, in their order
  /// The share of the time of all models' runs in which the calling thread had a processor.
  double processor_share = 1.0;
  /// Why nobody should trust the figures of this measurement; empty: there is no reason to doubt.
  std::string doubt = {};
};

/// One record a model, in the order given. Models run as ModelRun runs them.
/// @throws UsageError where a model rejects the inputs or cannot be frozen.
ACTSWAP_API std::vector<Latency> measure_latency(const std::vector<torch::jit::Module>& models,
                                                 const std::vector<torch::Tensor>& inputs,
                                                 RuntimeSetting setting,
                                                 const LatencyOptions& options = {});

}  // namespace actswap
