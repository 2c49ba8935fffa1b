// A conversion's plan by the sensitivity of its sites.
#pragma once

#include <actswap/measure/sensitivity.h>
#include <actswap/pipeline/convert.h>
#include <actswap/pipeline/convert_options.h>

namespace actswap {

struct ChosenPlan {
  Plan plan;
  Sensitivity sensitivity;
};

/// Measures the sensitivity on the validation data, calibrated where the conversion calibrates, and
/// makes a plan that meets options.budget_ms or else options.max_drop.
/// @throws UsageError for a budget that cannot be met; Error of kind accuracy where not one site
/// can
///   be swapped within the drop
ChosenPlan choose_plan(const Model& model, const Plan& plan, const ConvertOptions& options,
                       const ConvertCallbacks& callbacks);

}  // namespace actswap
