// A sample of the values that pass through the sites of a model, and statistics of it.
#pragma once

#include <actswap/base/export.h>
#include <actswap/graph/model.h>
#include <actswap/measure/site_cost.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

/// Some thousand values of a site, from places that depend on the shapes alone: models that differ
/// only in their functions and parameters are sampled at the same places.
struct SiteValues {
  std::int64_t elements = 0;  ///< of all outputs: a site of fewer channels is sampled elsewhere
  std::vector<float> inputs = {};
  std::vector<float> outputs = {};
};

/// The samples by site id; a site has no entry if the inputs do not reach it or it gets no
/// floating-point numbers. Runs the model once, as ModelRun does.
/// @throws UsageError where the model rejects the inputs.
ACTSWAP_API std::map<std::string, SiteValues> sample_sites(
    const Model& model, const std::vector<torch::Tensor>& inputs);

/// How often values of some size occur.
struct Histogram {
  double low = 0.0;   ///< where the first bin begins
  double high = 0.0;  ///< where the last one ends
  std::vector<std::int64_t> counts = {};
};

/// Bins of equal width from the 0.2 % quantile to the 99.8 % quantile, so that few extreme values
/// do not hide all others; values beyond are in no bin, nor are NaN and infinities.
/// @return empty if there are no two different values
ACTSWAP_API std::optional<Histogram> histogram(std::vector<float> values);

/// sum |y - y0|^2 / sum |y0 - mean(y0)|^2: 0 for the same values, 1 if y is y0's mean everywhere.
/// @return empty if their numbers differ, one is not finite, or y0 is constant
ACTSWAP_API std::optional<double> relative_variance(const std::vector<float>& y,
                                                    const std::vector<float>& y0);

/// A site in the record of a conversion.
struct SiteRecord {
  std::optional<SiteCost> cost = {};     ///< in the original
  std::optional<Histogram> inputs = {};  ///< in the original
  /// relative_variance of the site's outputs against the original's: after the swap alone, and in
  /// the exported model.
  std::optional<double> error_of_swap = {};
  std::optional<double> error_of_export = {};
};

}  // namespace actswap
