// The whole way from an original to a verified export, in one call: what the command's convert
// does.
//
//   convert(model, plan(model, {}), {.output = "relu.pt", .train_data = data});
#pragma once

#include <actswap/base/export.h>
#include <actswap/graph/plan.h>
#include <actswap/pipeline/request.h>
#include <actswap/pipeline/time_left.h>
#include <actswap/report/run.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace actswap {

struct ConvertCallbacks {
  /// What will report progress, once at the beginning.
  std::function<void(const std::vector<RunPhase>&)> on_phases = {};
  std::function<void(const std::string&)> on_message;  ///< what is going on, a line each
  /// What looks wrong, a line each; Run::warnings keeps them.
  std::function<void(const std::string&)> on_warning = {};
  /// So many sites are calibrated, of how many.
  std::function<void(std::size_t done, std::size_t count)> on_calibrated_site;
  /// So many passes fitted all layers together, of how many at most.
  std::function<void(std::size_t done, std::size_t count)> on_calibration_pass;
  /// So many layers that read units are surveyed, of how many, before units are removed.
  std::function<void(std::size_t done, std::size_t count)> on_surveyed_layer;
  std::function<void(const std::string& phase, const Progress&)> on_step;
  std::function<void(const std::string& phase, const EpochRecord&)> on_epoch;
  /// Runs of a model, done and all, while the sensitivity of the sites is measured.
  std::function<void(std::int64_t run, std::int64_t runs)> on_sensitivity;
  std::function<bool()> should_stop;
};

/// Retargets, calibrates and trains where there is data, collapses, verifies, writes, measures.
/// What the request leaves open is decided by `resolve` (recipe.h). Data whose normalisation seems
/// forgotten (doubt_normalisation) is a warning.
/// @throws what its parts throw; UsageError for a request that cannot be met, before anything long
///   begins; Error of kind accuracy, with nothing written, where max_drop is not met
ACTSWAP_API Run convert(const Model& model, const Plan& plan, const ConvertRequest& request,
                        const ConvertCallbacks& callbacks = {});

}  // namespace actswap
