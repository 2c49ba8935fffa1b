// From a model to a blended file for another training loop, in one call: what the command's blend
// does.
#pragma once

#include <actswap/base/export.h>
#include <actswap/export/export_model.h>
#include <actswap/graph/plan.h>
#include <actswap/pipeline/request.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace actswap {

struct BlendRequest {
  std::string output = {};                         ///< the file to write
  std::shared_ptr<Dataset> calibration_data = {};  ///< empty: no calibration; needs no target
  CalibrationRequest calibration = {};
  std::uint64_t seed = 0;        ///< of the choice of inputs to calibrate on
  ExportOptions exporting = {};  ///< of the file
};

struct BlendedFile {
  ExportResult verification;
  double t = 0.0;  ///< of its blends: 0, or 1 after a calibration, which fits the model to that
  std::optional<Calibration> calibration = {};
  /// The model has a method set_blend of its own, so none that moves all blends could be added.
  bool has_own_set_blend = false;
};

/// @throws what its parts throw; UsageError for a plan that swaps nothing; Interrupted
ACTSWAP_API BlendedFile write_blended(const Model& model, const Plan& plan,
                                      const BlendRequest& request,
                                      const CalibrationCallbacks& callbacks = {});

}  // namespace actswap
