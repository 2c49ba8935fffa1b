// How to move an activation's input so that the new function follows the old one best.
#pragma once

#include <torch/types.h>

#include <functional>

namespace actswap {

/// What an activation is applied to and what came out, channels x samples.
struct ActivationSamples {
  torch::Tensor x;           ///< what the new function is applied to
  torch::Tensor x_original;  ///< what the old one was
  torch::Tensor y;           ///< what the old one gave
};

/// x becomes scale * x + shift; per channel.
struct InputChange {
  torch::Tensor scale;
  torch::Tensor shift;
};

/// What the layers behind make up for.
enum class Behind {
  layers,   ///< a factor and an offset
  sum,      ///< an offset: the output goes into a sum as it is
  gate,     ///< a factor: the output is multiplied with another value
  nothing,  ///< the output also goes where no layer is
};

/// For each channel the scale and shift, from a grid around the difference of the means,
/// for which target(scale * x + shift) is nearest to y but for what is made up for; that difference
/// alone where nothing is clearly better.
/// @param may_scale otherwise the scale is 1
InputChange best_input_change(const ActivationSamples& samples,
                              const std::function<torch::Tensor(const torch::Tensor&)>& target,
                              Behind behind, bool may_scale);

}  // namespace actswap
