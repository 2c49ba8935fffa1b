// Moves the input of each activation so that the new function best follows the old one.
#pragma once

#include <actswap/calibrate/both_models.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/shift.h>

#include <torch/script.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace actswap {

class SiteFit {
 public:
  /// @param blended the model that is being fitted
  /// @param records takes a record of what happened to each site
  SiteFit(BothModels& models, const torch::jit::Module& blended,
          std::vector<CalibratedSite>& records)
      : models_(models), blended_(blended), records_(records) {}

  /// Makes the site's input scale * x + shift through the layer that produces it, if possible.
  void fit(const BlendSite& site);

  /// Whether the site's input was moved.
  bool has_fitted(const BlendSite& site) const { return shifts_.contains(site.path); }
  /// Adds to the shift in the record of a fitted site.
  void add_shift(const BlendSite& site, const torch::Tensor& shift);

  /// Of a fit of the same sites.
  template <typename Fields>
  void visit_fields(Fields& fields) {
    fields("shifts", shifts_);
  }

  /// The function that the site's blend moves to.
  std::function<torch::Tensor(const torch::Tensor&)> target_of(const BlendSite& site) const;

 private:
  ActivationSamples samples_of(const BlendSite& site);

  BothModels& models_;
  const torch::jit::Module& blended_;
  std::vector<CalibratedSite>& records_;
  std::map<std::string, torch::Tensor> shifts_;  // by the blend's path
};

}  // namespace actswap
