// A factor and an offset for each channel of a value.
#pragma once

#include <actswap/calibrate/layers.h>
#include <actswap/ranks/together.h>

#include <torch/types.h>

#include <cstdint>

namespace actswap {

/// For each channel the a and b with the least square of a u + b - v, where u is what there is and
/// v what the original has. Takes no memory but that of the channels.
class ChannelFit {
 public:
  /// @param has_offset otherwise b is 0
  ChannelFit(std::int64_t channels, std::int64_t channel_dim, bool has_offset);

  void add(const torch::Tensor& now, const torch::Tensor& original);
  /// What all ranks have added counts.
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

/// What is to be added to the parameters of a layer so that it computes from u what it computed
/// from a u + b, for each channel of its input; for layers that are too wide for a Regression:
///
///   W (a u + b) + bias = (W a) u + (W b + bias)
///
/// which is exact but for the padded borders of a convolution, where b is added as well as inside.
struct LayerChange {
  torch::Tensor weight;
  torch::Tensor offset;  ///< per output channel
};
LayerChange folded(const Layer& layer, const ChannelFit::Line& line);

}  // namespace actswap
