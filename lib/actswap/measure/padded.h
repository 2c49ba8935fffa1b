// A site's input as a tensor with sizes.
#pragma once

#include <torch/types.h>

namespace actswap {

/// A nested tensor, as a transformer encoder makes one of a padded batch, filled up with zeros;
/// others as they are.
inline torch::Tensor padded(const torch::Tensor& values) {
  return values.is_nested() ? values.to_padded_tensor(0.0) : values;
}

}  // namespace actswap
