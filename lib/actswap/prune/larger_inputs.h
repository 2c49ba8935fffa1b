// Inputs of other sizes that a model accepts too.
#pragma once

#include <torch/script.h>

#include <vector>

namespace actswap {

/// The inputs, and others with more examples, pixels and steps, as far as the model accepts them.
/// Each is at least as large as the one before it.
std::vector<std::vector<torch::Tensor>> with_larger(const torch::jit::Module& module,
                                                    const std::vector<torch::Tensor>& inputs);

}  // namespace actswap
