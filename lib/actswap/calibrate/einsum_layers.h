// Linear layers that are written as einsum.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace actswap {

/// einsum("...i,ij->...j", x, w) of a matrix that is a parameter or constant becomes linear(x,
/// w^T), which is the same, and what the table of layers knows. An equation in which the summed or
/// the new letter is not the last one stays.
void einsums_to_linear_layers(torch::jit::Graph& graph);

}  // namespace actswap
