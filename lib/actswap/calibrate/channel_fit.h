// A factor and an offset for each channel of a value.
#pragma once

#include <actswap/calibrate/layers.h>
#include <actswap/ranks/together.h>

#include <torch/types.h>

#include <cstdint>

namespace actswap {

/// Finds for each channel the a and b with the least square of a u + b - v, where u is the value
/// now and v the original's. Takes memory only for a few numbers per channel.
class ChannelFit {
 public:
  /// @param has_offset otherwise b is 0
  ChannelFit(std::int64_t channels, std::int64_t channel_dim, bool has_offset);

  void add(const torch::Tensor& now, const torch::Tensor& original);
  /// Adds up the sums of all ranks.
  void add_up(const Together& together);

  struct Line {
    torch::Tensor factor;  ///< a; 1 where the channel does not vary
    torch::Tensor offset;  ///< b
  };
  Line solve() const;

 private:
  std::int64_t channel_dim_;
  bool has_offset_;
  double count_ = 0.0;
  torch::Tensor u_;  // sums in double, per channel
  torch::Tensor v_;
  torch::Tensor uu_;
  torch::Tensor uv_;
};

/// The change of a layer's parameters after which it computes from u what it computed from
/// a u + b, for each channel of its input; for layers that are too wide for a Regression:
///
///   W (a u + b) + bias = (W a) u + (W b + bias)
///
/// This is exact except at the padded borders of a convolution, where b is added as it is inside.
struct LayerChange {
  torch::Tensor weight;
  torch::Tensor offset;  ///< per output channel
};
LayerChange folded(const Layer& layer, const ChannelFit::Line& line);

}  // namespace actswap
