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

  bool draw(const Layer& layer, const BlendSite* site, const std::function<void(LayerRows)>& take);
  void refine(const Layer& layer, const BlendSite& site, ShiftRefinement& refinement,
              CalibratedLayer& record);
  void fit_channels(const Layer& layer);
  std::size_t batches_of_channels() const;
  void add_batches(ChannelFit& channels, const Moment& moment);
  Errors kept_if_nearer(const Moment& compared, const std::function<void()>& change,
                        std::vector<torch::Tensor> tensors);
  bool has_batch(const Layer& layer, const torch::Tensor& input);

  BothModels& models_;
  SiteFit& sites_;
  const std::vector<BlendSite>& blend_sites_;
  std::int64_t max_features_;
  Calibration& result_;
};

}  // namespace actswap
