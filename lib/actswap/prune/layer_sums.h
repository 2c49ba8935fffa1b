// Sums over rows of the inputs of a layer that reads units, and of the outputs it should have.
#pragma once

#include <actswap/calibrate/both_models.h>
#include <actswap/calibrate/layers.h>

#include <torch/types.h>

namespace actswap {

/// All in double. The wanted outputs are the original's at Layer::compared, so the sums are scaled
/// as the affines in between scale outputs. If the layer takes an offset, they are sums of
/// deviations from the mean.
struct LayerSums {
  torch::Tensor xx;  ///< groups x features x features, sum of x x^T; undefined for a wide layer
  torch::Tensor xy;  ///< groups x features x outputs, sum of x y^T; undefined for a wide layer
  torch::Tensor squares;  ///< groups x features: the diagonal of xx
  /// groups x features: squares of the layer's weights, added up over the (scaled) outputs
  torch::Tensor weights;
  /// Rows times the variance of the original's values there, added up over channels. Above 0.
  double whole = 0.0;
  torch::Tensor least;  ///< the least value of each input channel over all rows; `most` likewise
  torch::Tensor most;
};

/// The sums are undefined if the layer's input has no batch dimension.
LayerSums layer_sums(BothModels& models, const Layer& layer, bool is_wide);

}  // namespace actswap
