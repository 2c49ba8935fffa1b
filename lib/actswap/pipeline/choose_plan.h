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

/// What choose_plan notes in the checkpoints is a part of this; no longer needed when it is done.
inline constexpr const char* kPlanSearch = "search of the plan";

/// Measures the sensitivity on the validation data, calibrated where the conversion calibrates, and
/// makes a plan that meets options.budget_ms or else options.max_drop. For options.min_agreement,
/// and for max_drop in a conversion that calibrates, it is what choose_partial_swap finds.
/// @param checkpoints what was measured is noted there, and taken from there in a resumed run
/// @throws UsageError for a budget that cannot be met; Error of kind accuracy where not one site
/// can
///   be swapped within the drop
ChosenPlan choose_plan(const Model& model, const Plan& plan, const ConvertOptions& options,
                       const ConvertCallbacks& callbacks, RunCheckpoints& checkpoints);

}  // namespace actswap
