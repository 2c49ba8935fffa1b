// The whole way from an original to a verified export in one call, as the command's convert.
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
  /// Gets, once at the beginning, the phases to be reported.
  std::function<void(const std::vector<RunPhase>&)> on_phases = {};
  std::function<void(const std::string&)> on_message;  ///< says what happens, a line each
  /// Says what looks wrong, a line each; Run::warnings keeps these lines.
  std::function<void(const std::string&)> on_warning = {};
  /// How many sites are calibrated, and of how many.
  std::function<void(std::size_t done, std::size_t count)> on_calibrated_site;
  /// How many passes fitted all layers together, and of how many at most.
  std::function<void(std::size_t done, std::size_t count)> on_calibration_pass;
  /// How many layers that read units are surveyed, and of how many, before units are removed.
  std::function<void(std::size_t done, std::size_t count)> on_surveyed_layer;
  std::function<void(const std::string& phase, const Progress&)> on_step;
  std::function<void(const std::string& phase, const EpochRecord&)> on_epoch;
  /// How many runs of a model are done, and of how many, while site sensitivity is measured.
  std::function<void(std::int64_t run, std::int64_t runs)> on_sensitivity;
  std::function<bool()> should_stop;
};

/// Retargets, calibrates and trains if there is data, collapses, verifies, writes, measures.
/// `resolve` (recipe.h) decides what the request leaves open. If data seems not to be normalised
/// (doubt_normalisation), it warns.
/// @throws what its parts throw; UsageError for a request that cannot be met, before anything long
///   begins; Error of kind accuracy, with nothing written, if max_drop is not met
ACTSWAP_API Run convert(const Model& model, const Plan& plan, const ConvertRequest& request,
                        const ConvertCallbacks& callbacks = {});

}  // namespace actswap
