// A conversion's plan by measured swaps: as few sites as it takes stay on the old function.
#pragma once

#include <actswap/pipeline/choose_plan.h>

namespace actswap {

/// Fits and measures the swap of all sites, and where that is not near enough, swaps with some
/// sites kept: those that cost most for the time that they save, by the swap of each alone
/// (label-free sensitivity). Trials are calibrated on at most 128 inputs, without the joint fit;
/// what is converted by the plan afterwards comes out nearer. Of options.min_agreement on
/// options.agreement_data, otherwise of options.max_drop on the validation data.
/// @throws Error of kind accuracy where no swap meets the wish; Interrupted
ChosenPlan choose_partial_swap(const Model& model, const Plan& plan, const ConvertOptions& options,
                               const ConvertCallbacks& callbacks, RunCheckpoints& checkpoints);

}  // namespace actswap
