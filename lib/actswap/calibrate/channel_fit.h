// A factor and an offset for each channel of what a layer is given.
#pragma once

#include <actswap/calibrate/layers.h>

#include <torch/types.h>

namespace actswap {

/// For each input channel of a layer the a and b with the least square of a u + b - v, where u is
/// what it is given and v what the original gives it. What takes no memory but that of the
/// channels: for layers that are too wide for a Regression. Both go into the layer's parameters,
///
///   W (a u + b) + bias = (W a) u + (W b + bias)
///
/// which is exact but for the padded borders of a convolution, where b is added as well as inside.
class ChannelFit {
 public:
  explicit ChannelFit(const Layer& layer);

  /// @param input what the layer is given, @param original what the original's is
  void add(const torch::Tensor& input, const torch::Tensor& original);

  struct Correction {
    torch::Tensor weight;  ///< to be added to the weight
    torch::Tensor offset;  ///< per output channel; zeros where the layer can take none
  };
  Correction solve() const;

 private:
  const Layer& layer_;
  double count_ = 0.0;
  torch::Tensor u_;  // sums in double, per channel
  torch::Tensor v_;
  torch::Tensor uu_;
  torch::Tensor uv_;
};

}  // namespace actswap
