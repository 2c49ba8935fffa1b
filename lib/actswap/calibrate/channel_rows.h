// The layout in which channels are fitted and measured.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace actswap {

/// One row for each channel, with all of its values: channels x values, in float32.
inline torch::Tensor channel_rows(const torch::Tensor& values, std::int64_t channel_dim) {
  return values.movedim(channel_dim, 0).flatten(1).to(torch::kFloat);
}

}  // namespace actswap
