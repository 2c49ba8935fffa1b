// Linear layers that are written as einsum.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace actswap {

/// Turns einsum("...i,ij->...j", x, w) with a parameter or constant as its matrix into the equal
/// linear(x, w^T), which the table of layers knows. An equation stays if its summed or its new
/// letter is not the last one.
void einsums_to_linear_layers(torch::jit::Graph& graph);

}  // namespace actswap
