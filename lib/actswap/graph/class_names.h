// Renames classes after the activation that a module now is.
#pragma once

#include <actswap/activation/activation.h>

#include <torch/script.h>

#include <map>

namespace actswap {

/// What each class of activation modules has become.
using Becomes = std::map<c10::ClassTypePtr, ActivationSpec>;

/// Renames each of these classes that is now this activation and nothing else after the module in
/// torch.nn ("__torch__.torch.nn.modules.activation.ReLU"), or if that has none,
/// "__torch__.actswap.Activation": readers of a model rely on the names. The module must not have
/// run.
/// @return `root`, or another object if `root` is of such a class itself
torch::jit::Module name_activation_modules(const torch::jit::Module& root, const Becomes& becomes);

}  // namespace actswap
