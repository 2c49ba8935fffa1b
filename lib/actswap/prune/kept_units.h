// Which units stay, as what tensors keep, and back again.
#pragma once

#include <actswap/calibrate/kept_entries.h>
#include <actswap/prune/units.h>

#include <torch/script.h>

#include <vector>

namespace actswap {

/// What the tensors of a module keep, and which layers read units that go.
KeptEntries kept_entries(const torch::jit::Module& module, const Units& units,
                         const KeptUnits& keep);

/// The units that stay where the tensors keep these entries: kept_entries(units_of(kept)) == kept.
/// @throws FileError where no choice of units keeps just these
KeptUnits units_of(const torch::jit::Module& module, const Units& units, const KeptEntries& kept);

/// find_units without the trial that confirms them: they do not depend on what the weights are.
Units find_unconfirmed_units(const torch::jit::Module& module,
                             const std::vector<torch::Tensor>& inputs);

/// The first examples of a batch, as many as labels need; all of them where the module does not
/// accept these alone.
std::vector<torch::Tensor> few_examples(const torch::jit::Module& module,
                                        const std::vector<torch::Tensor>& batch);

}  // namespace actswap
