// Places of a layer's output, drawn by chance: what it is computed from there, and what it lacks.
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
  torch::Tensor original;  ///< what the original gives where Layer::compared says
  /// What the layer gives, and what there is where it is compared. Both undefined where that is the
  /// same: then it is computed from the input, at the places alone.
  torch::Tensor output = {};
  torch::Tensor now = {};
  torch::Tensor site_input = {};  ///< of Layer::site; undefined where that is not of interest
  /// Where ranks have shares of the batch: how many examples all have, and the number of the first
  /// of these. 0: these are all.
  std::int64_t examples = 0;
  std::int64_t first = 0;
};

/// A place of an example is a row. All in float32.
struct LayerRows {
  torch::Tensor x;        ///< groups x rows x features: in the order of the weight's
  torch::Tensor lacking;  ///< groups x rows x outputs: what the output lacks against the original's
  bool is_held_out = false;       ///< not to be fitted to
  torch::Tensor site_input = {};  ///< as x, before the activation; where the values have it
  torch::Tensor inside = {};      ///< rows x features: 0 where x is padding. Undefined: 1
  torch::Tensor number = {};  ///< of each row among those of all ranks. Undefined: these are all
};

class RowDraw {
 public:
  /// @param rows about so many of the places where the layer is computed, as many of each example
  /// @param batches that they come from
  RowDraw(const Layer& layer, std::int64_t rows, std::size_t batches);

  /// Those of one batch, in a few parts. The examples are numbered through all batches, and every
  /// eighth is held out; where there are fewer than eight, all are given both ways.
  void draw(const LayerValues& values, const std::function<void(LayerRows)>& take);

 private:
  torch::Tensor padding_of(const LayerValues& values, const torch::Tensor& places) const;

  const Layer& layer_;
  std::int64_t rows_of_batch_;
  std::int64_t batches_;
  std::int64_t batch_ = 0;
  std::int64_t examples_ = 0;  // of the batches before
};

/// Features for each of the channels of the layer's input: the places of the kernel.
std::int64_t taps_of(const Layer& layer);
/// What one output is computed from.
std::int64_t features_of(const Layer& layer);
/// groups x features x outputs, in float32: rows times it are what the layer adds up.
torch::Tensor weight_of_rows(const Layer& layer, const torch::Tensor& weight);

}  // namespace actswap
