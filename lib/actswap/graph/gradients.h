// Models that take gradients while they compute their outputs: forces from an energy, say.
#pragma once

#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

namespace actswap {

/// Whether any code of the module, or a function that it calls, asks for a gradient
/// (requires_grad_, torch.autograd.grad, backward). Such a model runs only if gradients are on.
bool takes_gradients(const torch::jit::Module& module);

/// The same of one graph. Calls are not followed.
bool takes_gradients(torch::jit::Graph& graph);

}  // namespace actswap
