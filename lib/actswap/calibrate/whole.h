// The tensor behind a transposed view of it.
#pragma once

#include <torch/types.h>

namespace actswap {

/// The base of a view that shows all of it; the tensor itself if it is a view of a part, or no
/// view.
inline torch::Tensor whole_of(const torch::Tensor& tensor) {
  if (!tensor.is_view()) {
    return tensor;
  }
  const torch::Tensor base(tensor._base());
  return base.numel() == tensor.numel() ? base : tensor;
}

}  // namespace actswap
