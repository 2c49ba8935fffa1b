// The steps of prune(), for a caller that stores the result of each.
#pragma once

#include <actswap/prune/fading.h>
#include <actswap/prune/prune.h>

#include <torch/script.h>

#include <cstdint>
#include <vector>

namespace actswap {

/// Checks the globs of PruneOptions::keep before anything long begins.
/// @param model it is not changed
/// @param inputs of forward; one or two examples are enough
/// @param options whose `keep` is checked
/// @throws UsageError for a glob that matches no layer; as find_units
ACTSWAP_API void expect_kept_layers(const Model& model, const std::vector<torch::Tensor>& inputs,
                                    const PruneOptions& options);

/// Chooses units and cuts them out of the swap's module. Of the result only `refit` is missing.
/// @throws as prune
ACTSWAP_API Pruning remove_units(Retargeter& swap, const Dataset& data, const PruneOptions& options,
                                 std::uint64_t seed = 0, const PruneCallbacks& callbacks = {});

/// Cuts the same units out of the swap's module as remove_units cut from another one of the same
/// model, whatever the values of its tensors.
/// @param kept Pruning::kept
/// @throws FileError where the module does not have these units
ACTSWAP_API void remove_again(Retargeter& swap, const KeptEntries& kept, const Dataset& data,
                              const PruneOptions& options, std::uint64_t seed = 0);

/// Lets the units that remove_units cut from the swap's module fade instead.
/// @param full the swap's module before; the swap has it again, at t = 1
/// @throws FileError where the module does not have these units
ACTSWAP_API FadingUnits fade_units(Retargeter& swap, const torch::jit::Module& full,
                                   const KeptEntries& kept, const Dataset& data,
                                   const PruneOptions& options, std::uint64_t seed = 0);

/// Fits the module that remove_units left to the original. @throws as calibrate
ACTSWAP_API Calibration refit_units(Retargeter& swap, const KeptEntries& kept, const Dataset& data,
                                    const PruneOptions& options, std::uint64_t seed = 0,
                                    const CalibrationCallbacks& callbacks = {});

}  // namespace actswap
