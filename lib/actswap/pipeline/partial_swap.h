// Makes a conversion's plan by measured swaps: as few sites as possible keep the old function.
#pragma once

#include <actswap/pipeline/choose_plan.h>

namespace actswap {

/// Fits and measures the swap of all sites and, if that is not near enough, swaps with some sites
/// kept: those that cost most for the time that they save when swapped alone (label-free
/// sensitivity). Trials are calibrated on at most 128 inputs, without the joint fit; the conversion
/// by the plan then comes nearer. The goal is options.min_agreement on options.agreement_data,
/// otherwise options.max_drop on the validation data.
/// @throws Error of kind accuracy if no swap meets the goal; Interrupted
ChosenPlan choose_partial_swap(const Model& model, const Plan& plan, const ConvertOptions& options,
                               const ConvertCallbacks& callbacks, RunCheckpoints& checkpoints);

}  // namespace actswap
