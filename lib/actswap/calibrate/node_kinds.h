// What the nodes of a flat forward are to a Program, which runs them in pieces.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

namespace actswap {

/// Whether it is a constant that holds a tensor.
bool is_tensor_constant(const torch::jit::Node* node);

/// w.t(), w.T, w.mT, transpose(w, 0, 1) of a matrix.
bool is_transpose(const torch::jit::Node* node);

/// Whether the node may write to what it is given. A blend does not.
bool may_write(const torch::jit::Node* node);

/// Sizes of tensors, numbers computed from them, and lists of these that nothing writes to. In a
/// trace some of these numbers are tensors, of one number or computed from such tensors alone.
bool gives_numbers(const torch::jit::Node* node);

}  // namespace actswap
