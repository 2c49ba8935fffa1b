// The difference of two values.
#pragma once

#include <torch/types.h>

namespace actswap {

/// In float32 where the precision is less: differences of values that are nearly equal, and their
/// squares, need it.
inline torch::Tensor widened(const torch::Tensor& values) {
  return values.scalar_type() == torch::kHalf || values.scalar_type() == torch::kBFloat16
             ? values.to(torch::kFloat32)
             : values;
}

/// a - b, widened; 0 where both are the same infinity, as masks make them.
inline torch::Tensor difference(const torch::Tensor& a, const torch::Tensor& b) {
  const auto x = widened(a);
  const auto y = widened(b);
  const auto is_infinite = torch::isinf(y);
  const auto found = x - y;
  return is_infinite.any().item<bool>() ? found.masked_fill(is_infinite.logical_and(x.eq(y)), 0.0)
                                        : found;
}

}  // namespace actswap
