// Plans made from what each site's swap costs and saves.
//
// What a plan loses is predicted as a sum over the sites that it swaps,
//
//   drop = sum max(loss, 0),   latency = latency of the original - sum gain
//
// which is no more than a guess: losses of several swaps may add up to more than their sum, and
// training brings most of them back. What came out has to be measured.
#pragma once

#include <actswap/base/export.h>
#include <actswap/graph/plan.h>
#include <actswap/measure/sensitivity.h>

#include <optional>

namespace actswap {

struct Prediction {
  double drop = 0.0;                      ///< of the sensitivity's measure
  std::optional<double> latency_ms = {};  ///< where times were measured
};

/// @throws UsageError where the plan swaps a site that was not measured
ACTSWAP_API Prediction predict(const Plan& plan, const Sensitivity& sensitivity);

/// The plan with sites left out until the predicted drop is at most `max_drop`: sites are taken
/// from the best to the worst (best_first), those that do not fit any more are kept, with the
/// reason. It may swap nothing.
/// @param plan whose sites may be left out
/// @param sensitivity of the sites that it swaps
/// @param max_drop >= 0, in the sensitivity's measure
/// @throws UsageError for another max_drop, or as predict
ACTSWAP_API Plan plan_within_drop(const Plan& plan, const Sensitivity& sensitivity,
                                  double max_drop);

/// The plan with no more sites than it takes for the predicted latency to be at most `budget_ms`:
/// those that lose least for the time they save. Then those that it turns out not to take are left
/// out again, those that lose most first.
/// @param plan whose sites may be left out
/// @param sensitivity with times
/// @param budget_ms > 0
/// @throws UsageError where no swap is needed, where the budget cannot be met (with what can), for
///   a sensitivity without times, or as predict
ACTSWAP_API Plan plan_within_budget(const Plan& plan, const Sensitivity& sensitivity,
                                    double budget_ms);

}  // namespace actswap
