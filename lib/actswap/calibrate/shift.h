// The shift of an activation's input that lets the new function follow the old one best.
#pragma once

#include <torch/types.h>

#include <functional>

namespace actswap {

/// For each channel the d, from a grid around the difference of the means, for which target(x + d)
/// is nearest to y up to an offset and a factor; that difference itself where none is clearly
/// better.
/// @param x channels x samples, what the new function is applied to
/// @param x_original channels x samples, what the old one was
/// @param y channels x samples, what the old one gave
/// @param has_scale_one the factor must be 1
/// @return a shift per channel
torch::Tensor best_shift(const torch::Tensor& x, const torch::Tensor& x_original,
                         const torch::Tensor& y, bool has_scale_one,
                         const std::function<torch::Tensor(const torch::Tensor&)>& target);

}  // namespace actswap
