// Inputs of other sizes and forms that a model accepts too.
#pragma once

#include <torch/script.h>

#include <vector>

namespace actswap {

/// The inputs, and some with more and with fewer examples, pixels and steps, as far as the model
/// accepts them. Each dimension is tried by itself, and those of one size together; sizes that fit
/// each other come in one entry.
std::vector<std::vector<torch::Tensor>> with_other_sizes(const torch::jit::Module& module,
                                                         const std::vector<torch::Tensor>& inputs);

/// Adds some without examples, with one more dimension and of another type, if code asks for the
/// rank or the type of a tensor and so may take another branch.
/// @param found the inputs first
void add_other_forms(const torch::jit::Module& module,
                     std::vector<std::vector<torch::Tensor>>& found);

}  // namespace actswap
