// Finds how to move an activation's input so that the new function best follows the old one.
#pragma once

#include <torch/types.h>

#include <functional>

namespace actswap {

/// Inputs and outputs of an activation, channels x samples.
struct ActivationSamples {
  torch::Tensor x;           ///< inputs of the new function
  torch::Tensor x_original;  ///< inputs of the old one
  torch::Tensor y;           ///< outputs of the old one
};

/// x becomes scale * x + shift; per channel.
struct InputChange {
  torch::Tensor scale;
  torch::Tensor shift;
};

/// What the layers behind can make up for.
enum class Behind {
  layers,   ///< a factor and an offset
  sum,      ///< an offset: the output goes into a sum as it is
  gate,     ///< a factor: the output is multiplied with another value
  nothing,  ///< the output also goes where no layer is
};

/// Searches a grid around the difference of the means for the scale and shift of each channel that
/// bring target(scale * x + shift) nearest to y, apart from what the layers behind make up for.
/// Takes the difference alone if nothing is clearly better.
/// @param may_scale otherwise the scale is 1
InputChange best_input_change(const ActivationSamples& samples,
                              const std::function<torch::Tensor(const torch::Tensor&)>& target,
                              Behind behind, bool may_scale);

}  // namespace actswap
