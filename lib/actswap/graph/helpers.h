// Activations that are written out by hand over several functions or modules.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace actswap {

/// Inlines the calls without which a hand-written activation of this graph is not whole:
/// x * self.sigmoid(x), where self.sigmoid is a module, or x * cdf(x), where cdf is a method or
/// function, or mul(x, sigmoid(x)), where both are modules. What is called must be made of few
/// operators, without branches and loops but that on inplace. Every other call stays as it is.
/// Free functions that apply an activation must have been inlined (normalise).
void inline_helpers(torch::jit::Graph& graph);

}  // namespace actswap
