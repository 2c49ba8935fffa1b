// The whole way from an original to a verified export, in one call: what the command's convert
// does.
#pragma once

#include <actswap/base/export.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/data/dataset.h>
#include <actswap/graph/plan.h>
#include <actswap/report/run.h>
#include <actswap/schedule/schedule.h>
#include <actswap/train/trainer.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

struct ConvertOptions {
  std::string output = {};                         ///< the file to write
  std::shared_ptr<Dataset> calibration_data = {};  ///< empty: no calibration; needs no target
  CalibrationOptions calibration;                  ///< of a run with calibration_data
  std::shared_ptr<Dataset> train_data = {};        ///< empty: no training
  std::shared_ptr<Dataset> validation_data = {};   ///< empty: no metrics
  TrainOptions train;                              ///< of a run with train_data
  /// Of a run with train_data; by default t is 1 from the start. Where t rises after a calibration,
  /// what that changed moves in with t (CalibratedRamp).
  Schedule schedule = Schedule::linear({});
  bool control = false;  ///< train the original on, too, with the same budget, data and seed
  std::optional<double> max_drop = {};  ///< largest fall of the metric that is accepted; >= 0
  std::vector<torch::Tensor> probe_inputs = {};  ///< empty: from the data, otherwise guessed
  std::string run_directory = {};  ///< where run.json goes; empty: no record is written
};

struct ConvertCallbacks {
  std::function<void(const std::string&)> on_message;  ///< what is going on, a line each
  std::function<void(const std::string& phase, const Progress&)> on_step;
  std::function<void(const std::string& phase, const EpochRecord&)> on_epoch;
  std::function<bool()> should_stop;
};

/// Retargets, calibrates and trains where there is data, collapses, verifies, writes, measures.
/// @throws what its parts throw; Error of kind accuracy, with nothing written, where max_drop is
/// not
///   met
ACTSWAP_API Run convert(const Model& model, const Plan& plan, const ConvertOptions& options,
                        const ConvertCallbacks& callbacks = {});

}  // namespace actswap
