// Fits layers, and batch norms without a layer before them, to the original's values.
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
/// The values of both models at the layer. @param site whose input is wanted too; null: none
LayerValues layer_values(BothModels& models, const Layer& layer, std::size_t batch,
                         const BlendSite* site = nullptr);

class LayerFits {
 public:
  /// @param blend_sites Layer::site is an index into them
  /// @param max_features a regression fits only layers with at most this many
  /// @param result takes a record of what happened to each
  LayerFits(BothModels& models, SiteFit& sites, const std::vector<BlendSite>& blend_sites,
            std::int64_t max_features, Calibration& result)
      : models_(models),
        sites_(sites),
        blend_sites_(blend_sites),
        max_features_(max_features),
        result_(result) {}

  /// Fits by a regression, with the shifts before it; a layer too wide for that, per channel.
  void fit(const Layer& layer);
  /// Fits the output of a batch norm, per channel.
  void fit(const BatchNorm& norm);

  bool is_wide(const Layer& layer) const;
  /// The site whose shifts are chosen anew together with this layer; null: none.
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
