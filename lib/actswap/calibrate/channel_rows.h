// The layout in which channels are fitted and measured.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace actswap {

/// One row for each channel, with all of its values: channels x values, in float32. A value that is
/// nothing but channels gives one value each.
inline torch::Tensor channel_rows(const torch::Tensor& values, std::int64_t channel_dim) {
  const auto in_front = values.movedim(channel_dim, 0);
  return in_front.reshape({in_front.size(0), -1}).to(torch::kFloat);
}

}  // namespace actswap
