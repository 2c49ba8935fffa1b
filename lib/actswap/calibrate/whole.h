// The tensor that a layer sees turned over.
#pragma once

#include <torch/types.h>

namespace actswap {

/// What the view shows all of; of a view of a part of something else, and of what is no view, the
/// tensor itself.
inline torch::Tensor whole_of(const torch::Tensor& tensor) {
  if (!tensor.is_view()) {
    return tensor;
  }
  const torch::Tensor base(tensor._base());
  return base.numel() == tensor.numel() ? base : tensor;
}

}  // namespace actswap
