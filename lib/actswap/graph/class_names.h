// Names of classes that say what a module is now.
#pragma once

#include <actswap/activation/activation.h>

#include <torch/script.h>

#include <map>

namespace actswap {

/// What each class of activation modules has become.
using Becomes = std::map<c10::ClassTypePtr, ActivationSpec>;

/// Gives each of these classes that is now this activation and nothing else the name of the
/// module in torch.nn ("__torch__.torch.nn.modules.activation.ReLU"), or
/// "__torch__.actswap.Activation" where that has none: who reads a model goes by the names. The
/// module must not have run.
/// @return `root`, or another object where it is of such a class itself
torch::jit::Module name_activation_modules(const torch::jit::Module& root, const Becomes& becomes);

}  // namespace actswap
