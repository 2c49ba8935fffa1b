// Whether cutting a model gives what it should.
#pragma once

#include <actswap/prune/units.h>

#include <torch/script.h>

#include <vector>

namespace actswap {

/// Cuts half of the units of each group out of a copy and compares that with a copy in which they
/// are silent. Groups for which the two differ become unprunable.
void confirm(const torch::jit::Module& module, Units& units,
             const std::vector<torch::Tensor>& inputs);

}  // namespace actswap
