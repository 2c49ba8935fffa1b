// Converts between the units that stay and the entries that tensors keep.
#pragma once

#include <actswap/calibrate/kept_entries.h>
#include <actswap/prune/units.h>

#include <torch/script.h>

#include <vector>

namespace actswap {

/// The entries that a module's tensors keep, and the layers that read units which go.
KeptEntries kept_entries(const torch::jit::Module& module, const Units& units,
                         const KeptUnits& keep);

/// The units that stay if tensors keep these entries: kept_entries(units_of(kept)) == kept.
/// @throws FileError if no choice of units keeps exactly these
KeptUnits units_of(const torch::jit::Module& module, const Units& units, const KeptEntries& kept);

/// find_units without the trial that confirms them: the units do not depend on the weights' values.
Units find_unconfirmed_units(const torch::jit::Module& module,
                             const std::vector<torch::Tensor>& inputs);

/// The first examples of a batch, as many as labels need; all if the module does not accept so few.
std::vector<torch::Tensor> few_examples(const torch::jit::Module& module,
                                        const std::vector<torch::Tensor>& batch);

}  // namespace actswap
