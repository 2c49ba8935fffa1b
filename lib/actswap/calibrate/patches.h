// The values from which a layer computes single outputs.
#pragma once

#include <actswap/calibrate/layers.h>

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace actswap {

/// Draws this many of 0 .. count - 1 (all, if there are fewer), the same ones for the same seed.
torch::Tensor some_numbers(std::int64_t count, std::int64_t wanted, std::int64_t seed);

/// How many places a layer's output has for one example: 1 for a linear layer of N x features.
std::int64_t places_of(const Layer& layer, const torch::Tensor& output);

/// groups x (examples * places) x features: the values that the outputs at these places are
/// computed from, in the order of the weight's; zero where a convolution is padded.
/// @param input of the layer: N x C x ..., or N x ... x features
/// @param output of the layer, for its shape
/// @param places which of them, of each example
torch::Tensor patches(const Layer& layer, const torch::Tensor& input, const torch::Tensor& output,
                      const torch::Tensor& places);

/// The same places of a tensor shaped like the output: groups x (examples * places) x outputs.
torch::Tensor values_at(const Layer& layer, const torch::Tensor& output,
                        const torch::Tensor& places);

}  // namespace actswap
