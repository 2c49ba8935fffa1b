// A conversion's plan by the sensitivity of its sites.
#pragma once

#include <actswap/measure/partial_swap.h>
#include <actswap/measure/sensitivity.h>
#include <actswap/pipeline/convert.h>
#include <actswap/pipeline/convert_options.h>
#include <actswap/pipeline/run_checkpoints.h>

#include <optional>

namespace actswap {

struct ChosenPlan {
  Plan plan;
  std::optional<Sensitivity> sensitivity;   ///< empty: the swap of all sites was near enough
  std::optional<PartialSwap> partial = {};  ///< of choose_partial_swap
};

/// choose_plan's notes in the checkpoints are parts of this, and no longer needed in the end.
inline constexpr const char* kPlanSearch = "search of the plan";

/// Measures the sensitivity on the validation data, calibrated if the conversion calibrates, and
/// makes a plan that meets options.budget_ms or else options.max_drop. For options.min_agreement,
/// and for max_drop in a conversion that calibrates, choose_partial_swap makes the plan.
/// @param checkpoints keeps the measurements for a resumed run, which takes them from there
/// @throws UsageError for a budget that cannot be met; Error of kind accuracy where not one site
/// can
///   be swapped within the drop
ChosenPlan choose_plan(const Model& model, const Plan& plan, const ConvertOptions& options,
                       const ConvertCallbacks& callbacks, RunCheckpoints& checkpoints);

}  // namespace actswap
