// What of a module is trained.
#pragma once

#include <actswap/train/module_tensors.h>

#include <torch/script.h>

#include <vector>

namespace actswap {

/// The distinct parameters that require a gradient.
/// @throws UsageError where there are none, and for one that an optimizer cannot step, by its name
std::vector<torch::Tensor> trainable_parameters(const torch::jit::Module& module);

/// Puts the batch norms that have running statistics into eval mode.
void keep_statistics(const torch::jit::Module& root);

/// Whether any of the tensors is of float16, so that gradients pass through it.
bool holds_half(const ModuleTensors& tensors);

}  // namespace actswap
