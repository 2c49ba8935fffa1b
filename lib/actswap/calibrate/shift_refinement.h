// The shifts before an activation and the layer behind it, fitted together by steps.
#pragma once

#include <actswap/calibrate/layer_rows.h>
#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/regression.h>

#include <torch/types.h>

#include <functional>
#include <vector>

namespace actswap {

/// Steps of all shifts (ShiftStep), with the layer solved for after each. The rows say what both
/// become, so no model runs again.
class ShiftRefinement {
 public:
  using Function = std::function<torch::Tensor(const torch::Tensor&)>;

  /// @param layer of one group, behind a site
  /// @param rows with what the site is given
  /// @param function that the site applies
  /// @param together that have rows
  ShiftRefinement(const Layer& layer, std::vector<LayerRows> rows, Function function,
                  Together together = {})
      : layer_(layer),
        rows_(std::move(rows)),
        function_(std::move(function)),
        together_(std::move(together)) {}

  /// The layer has been changed by so much.
  void note(const Regression::Correction& correction);

  /// The next step of the shifts, per channel, in double.
  torch::Tensor step() const;

  /// The site's input is moved by so much, per channel. @return what the layer is to be changed by
  /// then
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
