// What a layer that reads units is given, and what it should give, as sums over rows.
#pragma once

#include <actswap/calibrate/both_models.h>
#include <actswap/calibrate/layers.h>

#include <torch/types.h>

namespace actswap {

/// In double. The layer is to give what the original gives where it is compared, so outputs are
/// scaled as the affines in between scale them. Where the layer takes an offset, sums are of
/// deviations from the mean.
struct LayerSums {
  torch::Tensor xx;  ///< groups x features x features, sum of x x^T; undefined for a wide layer
  torch::Tensor xy;  ///< groups x features x outputs, sum of x y^T; undefined for a wide layer
  torch::Tensor squares;  ///< groups x features: the diagonal of xx
  /// groups x features: squares of the layer's weights, added up over the (scaled) outputs
  torch::Tensor weights;
  /// Rows times the variance of what the original gives there, added up over channels. Above 0.
  double whole = 0.0;
  torch::Tensor least;  ///< of each input channel, over all that was looked at
  torch::Tensor most;
};

/// Undefined sums where the layer's input has no batch dimension.
LayerSums layer_sums(BothModels& models, const Layer& layer, bool is_wide);

}  // namespace actswap
