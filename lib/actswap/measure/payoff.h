// Whether a swap saves time, which can be told before any training.
#pragma once

#include <actswap/base/export.h>
#include <actswap/graph/model.h>
#include <actswap/graph/plan.h>
#include <actswap/measure/latency.h>

#include <string>
#include <vector>

namespace actswap {

enum class Verdict {
  yes,             ///< the interval of the ratio lies below 1
  no,              ///< it lies above 1
  not_told_apart,  ///< it holds 1
  doubtful,        ///< the times cannot be trusted (Latency::doubt)
};
ACTSWAP_API std::string to_string(Verdict verdict);  ///< "yes", "no", "not told apart", "doubtful"

struct Payoff {
  RuntimeSetting setting = RuntimeSetting::plain;
  Latency original = {};
  Latency swapped = {};
  Verdict verdict = Verdict::doubtful;
  std::string failure = {};  ///< why the model does not run in this setting; empty: it does
};

/// What the ratio of the swapped model's time to the original's says.
ACTSWAP_API Verdict judge_times(const Latency& swapped);

/// Swaps what the plan says, with all parameters as they are, and times both models in turn: plain,
/// frozen, optimized. A training does not change what a forward costs.
/// @throws UsageError for a plan that swaps nothing, and where the model rejects the inputs
ACTSWAP_API std::vector<Payoff> measure_payoff(const Model& model, const Plan& plan,
                                               const std::vector<torch::Tensor>& inputs,
                                               const LatencyOptions& options = {});

}  // namespace actswap
