// Layers, and batch norms that have none before them, fitted to what the original computes.
#pragma once

#include <actswap/calibrate/both_models.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/channel_fit.h>
#include <actswap/calibrate/layer_rows.h>
#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/shift_refinement.h>
#include <actswap/calibrate/site_fit.h>

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace actswap {

/// Rows for a regression: enough for its matrix to be well determined, no more.
std::int64_t rows_for(const Layer& layer);
/// A single example without a batch dimension cannot be told from a batch of fewer dimensions.
bool has_batch(const Layer& layer, const torch::Tensor& input);
/// What both models compute at the layer. @param site whose input is wanted too; null: none's
LayerValues layer_values(BothModels& models, const Layer& layer, std::size_t batch,
                         const BlendSite* site = nullptr);

class LayerFits {
 public:
  /// @param max_features of a layer that is fitted by a regression
  /// @param blend_sites what Layer::site counts
  /// @param result where it is written down what happened to each
  LayerFits(BothModels& models, SiteFit& sites, const std::vector<BlendSite>& blend_sites,
            std::int64_t max_features, Calibration& result)
      : models_(models),
        sites_(sites),
        blend_sites_(blend_sites),
        max_features_(max_features),
        result_(result) {}

  /// By a regression, with the shifts before it; per channel where the layer is too wide for one.
  void fit(const Layer& layer);
  /// Of a batch norm the output, per channel.
  void fit(const BatchNorm& norm);

  bool is_wide(const Layer& layer) const;
  /// Whose shifts are chosen anew, by what the layer can make of them; none: null.
  const BlendSite* site_to_refine(const Layer& layer) const;

 private:
  struct Errors {  // root mean square
    double before;
    double after;
  };

  struct Compared {
    Moment moment;
    torch::Tensor kept;  // of the original's channels; undefined: all
    std::int64_t channel_dim;
  };

  bool draw(const Layer& layer, const BlendSite* site, const std::function<void(LayerRows)>& take);
  void refine(const Layer& layer, const BlendSite& site, ShiftRefinement& refinement,
              CalibratedLayer& record);
  void fit_channels(const Layer& layer);
  std::size_t batches_of_channels() const;
  void add_batches(ChannelFit& channels, const Compared& compared);
  Errors kept_if_nearer(const Compared& compared, const std::function<void()>& change,
                        std::vector<torch::Tensor> tensors);
  bool expect_batch(const Layer& layer, const torch::Tensor& input);

  BothModels& models_;
  SiteFit& sites_;
  const std::vector<BlendSite>& blend_sites_;
  std::int64_t max_features_;
  Calibration& result_;
};

}  // namespace actswap
