// What the code of a model asks LibTorch for: gradients (a model of forces takes the energy's), and
// answers that send it into other branches.
#pragma once

#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

namespace actswap {

/// Whether any code of the module, or a function that it calls, asks for a gradient
/// (requires_grad_, torch.autograd.grad, backward). Such a model runs only if gradients are on.
bool takes_gradients(const torch::jit::Module& module);

/// The same of one graph. Calls are not followed.
bool takes_gradients(torch::jit::Graph& graph);

/// Whether any code asks whether gradients are on (torch.is_grad_enabled): it may run another
/// branch in training.
bool asks_for_gradient_mode(const torch::jit::Module& module);

/// Whether any code asks for the rank or the type of a tensor, and so may run another branch for
/// other inputs.
bool asks_for_rank_or_type(const torch::jit::Module& module);

}  // namespace actswap
