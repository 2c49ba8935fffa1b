// Draws random places of a layer's output: the inputs of the output there, and its error.
#pragma once

#include <actswap/calibrate/layers.h>

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>

namespace actswap {

/// Of one batch.
struct LayerValues {
  torch::Tensor input;     ///< of the layer: N x C x ..., or N x ... x features
  torch::Tensor original;  ///< the original's value at Layer::compared
  /// The layer's output, and the value at Layer::compared. Both undefined if these are the same:
  /// they are then computed from the input, only at the drawn places.
  torch::Tensor output = {};
  torch::Tensor now = {};
  torch::Tensor site_input = {};  ///< of Layer::site; undefined if nobody needs it
  /// If ranks share the batch: how many examples all ranks have, and the number of the first one
  /// here. 0: all examples are here.
  std::int64_t examples = 0;
  std::int64_t first = 0;
};

/// Each place of an example is a row. All tensors are in float32.
struct LayerRows {
  torch::Tensor x;           ///< groups x rows x features, in the order of the weight's features
  torch::Tensor lacking;     ///< groups x rows x outputs: the original's output minus this one
  bool is_held_out = false;  ///< no fit may use these rows
  torch::Tensor site_input = {};  ///< as x, but before the activation; if the values have it
  torch::Tensor inside = {};      ///< rows x features: 0 where x is padding. Undefined: 1
  torch::Tensor number = {};      ///< of each row among those of all ranks. Undefined: all are here
};

class RowDraw {
 public:
  /// @param rows draw about this many of the layer's places, equally many from each example
  /// @param batches how many batches they come from
  RowDraw(const Layer& layer, std::int64_t rows, std::size_t batches);

  /// Draws the rows of one batch, in a few parts. It numbers the examples through all batches and
  /// holds out every eighth; with fewer than eight, each is both fitted to and held out.
  void draw(const LayerValues& values, const std::function<void(LayerRows)>& take);

 private:
  torch::Tensor padding_of(const LayerValues& values, const torch::Tensor& places) const;

  const Layer& layer_;
  std::int64_t rows_of_batch_;
  std::int64_t batches_;
  std::int64_t batch_ = 0;
  std::int64_t examples_ = 0;  // of the batches before
};

/// How many features each input channel of the layer has: the places of the kernel.
std::int64_t taps_of(const Layer& layer);
/// How many values one output is computed from.
std::int64_t features_of(const Layer& layer);
/// The weight as groups x features x outputs, in float32, so that the layer computes rows times it.
torch::Tensor weight_of_rows(const Layer& layer, const torch::Tensor& weight);

}  // namespace actswap
