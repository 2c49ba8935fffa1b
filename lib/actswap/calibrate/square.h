// Sums of products of rows with themselves.
#pragma once

#include <torch/types.h>

namespace actswap {

/// Adds x^T x, computed in the type of x, to a matrix in double: all on and above the diagonal, and
/// below it not everything.
/// @param x groups x rows x features
/// @param to groups x features x features
void add_square(const torch::Tensor& x, torch::Tensor& to);

}  // namespace actswap
