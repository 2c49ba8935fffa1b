// Activations that are written out by hand over several functions or modules.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace actswap {

/// Inlines the calls that are part of a hand-written activation in this graph: x * self.sigmoid(x),
/// where self.sigmoid is a module, or x * cdf(x), where cdf is a method or function, or
/// mul(x, sigmoid(x)), where both are modules. The called code must have few operators, and no
/// loops or branches except that on inplace. Every other call stays as it is.
/// Free functions that apply an activation must have been inlined (normalise).
void inline_helpers(torch::jit::Graph& graph);

}  // namespace actswap
