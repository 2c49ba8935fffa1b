// How the sensitivity of sites is measured by default.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>
#include <actswap/measure/sensitivity.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace actswap {

struct ACTSWAP_API SensitivityRequest {
  std::shared_ptr<Dataset> validation_data = {};   ///< measured on
  std::shared_ptr<Dataset> calibration_data = {};  ///< empty: swaps alone are measured
  CalibrationOptions calibration = {};            ///< without passes, which take long for each site
  std::uint64_t seed = 0;                         ///< of the choice of inputs to calibrate on
  std::vector<torch::Tensor> timing_inputs = {};  ///< default: the first of the validation data

  /// For measure_sensitivity on the validation data.
  /// @throws UsageError for data without examples, and for calibration options out of range
  SensitivityOptions resolved() const;
};

}  // namespace actswap
