// Tells before any training whether a swap saves time.
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

/// The verdict on the ratio of the swapped model's time to the original's.
ACTSWAP_API Verdict judge_times(const Latency& swapped);

/// Swaps the sites of the plan, with all parameters as they are, and times both models in turn:
/// plain, frozen, optimized. Training does not change the time of a forward.
/// @throws UsageError for a plan that swaps nothing, and if the model rejects the inputs
ACTSWAP_API std::vector<Payoff> measure_payoff(const Model& model, const Plan& plan,
                                               const std::vector<torch::Tensor>& inputs,
                                               const LatencyOptions& options = {});

}  // namespace actswap
