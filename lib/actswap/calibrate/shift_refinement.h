// Fits the shifts before an activation and the layer behind it together, step by step.
#pragma once

#include <actswap/calibrate/layer_rows.h>
#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/regression.h>

#include <torch/types.h>

#include <functional>
#include <vector>

namespace actswap {

/// Steps all shifts (ShiftStep) and solves for the layer after each step. The rows tell the new
/// values of both, so no model runs again.
class ShiftRefinement {
 public:
  using Function = std::function<torch::Tensor(const torch::Tensor&)>;

  /// @param layer of one group, behind a site
  /// @param rows with the site's input
  /// @param function that the site applies
  /// @param together the ranks that have rows
  ShiftRefinement(const Layer& layer, std::vector<LayerRows> rows, Function function,
                  Together together = {})
      : layer_(layer),
        rows_(std::move(rows)),
        function_(std::move(function)),
        together_(std::move(together)) {}

  /// Notes that this correction changed the layer.
  void note(const Regression::Correction& correction);

  /// The next step of the shifts, per channel, in double.
  torch::Tensor step() const;

  /// Moves the site's input by this shift, per channel. @return how the layer must change with it
  Regression::Correction move(const torch::Tensor& shift);

 private:
  torch::Tensor of_features(const torch::Tensor& channels) const;
  torch::Tensor difference(const LayerRows& rows, const torch::Tensor& from,
                           const torch::Tensor& to) const;

  const Layer& layer_;
  std::vector<LayerRows> rows_;
  Function function_;
  Together together_;
};

}  // namespace actswap
