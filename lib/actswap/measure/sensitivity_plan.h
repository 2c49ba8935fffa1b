// Plans made from what each site's swap costs and saves.
//
// What a plan loses is predicted as a sum over the sites that it swaps,
//
//   drop = sum max(loss, 0),   latency = latency of the original - sum gain
//
// which is only a guess: several swaps together may lose more than the sum of their losses, and
// training regains most of it. So the resulting model must be measured.
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

/// The plan with so few swaps that the predicted drop is at most `max_drop`: sites are swapped from
/// the best to the worst (best_first), and those that no longer fit are kept, with the reason. It
/// may swap nothing.
/// @param plan whose sites may be left out
/// @param sensitivity of the sites that it swaps
/// @param max_drop >= 0, in the sensitivity's measure
/// @throws UsageError for another max_drop, or as predict
ACTSWAP_API Plan plan_within_drop(const Plan& plan, const Sensitivity& sensitivity,
                                  double max_drop);

/// The plan with only as many swaps as a predicted latency of at most `budget_ms` requires: those
/// that lose least for the time they save. Swaps that turn out not to be needed are dropped again,
/// beginning with those that lose most.
/// @param plan whose sites may be left out
/// @param sensitivity with times
/// @param budget_ms > 0
/// @throws UsageError if no swap is needed, if no plan meets the budget (the message says what one
///   can reach), for a sensitivity without times, or as predict
ACTSWAP_API Plan plan_within_budget(const Plan& plan, const Sensitivity& sensitivity,
                                    double budget_ms);

}  // namespace actswap
