// The whole way from an original to a verified export, in one call: what the command's convert
// does.
#pragma once

#include <actswap/base/export.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/data/dataset.h>
#include <actswap/graph/blend.h>
#include <actswap/graph/plan.h>
#include <actswap/pipeline/site_order.h>
#include <actswap/report/run.h>
#include <actswap/schedule/schedule.h>
#include <actswap/train/trainer.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

struct ACTSWAP_API ConvertOptions {
  std::string output = {};                         ///< the file to write
  std::shared_ptr<Dataset> calibration_data = {};  ///< empty: no calibration; needs no target
  CalibrationOptions calibration;                  ///< of a run with calibration_data
  std::shared_ptr<Dataset> train_data = {};        ///< empty: no training
  std::shared_ptr<Dataset> validation_data = {};   ///< empty: no metrics
  TrainOptions train;                              ///< of a run with train_data
  /// Of a run with train_data; by default t is 1 from the start. Where t rises after a calibration,
  /// what that changed moves in with t (CalibratedRamp).
  Schedule schedule = Schedule::linear({});
  /// What the blends are made of while they are trained; the export is the same.
  BlendCode blend_code = BlendCode::fused;
  /// Together, or one after another within the schedule's begin and end.
  SiteOrder order = SiteOrder::together;
  /// Ids of all sites that the plan swaps, in an order of one's own; empty: `order` says it.
  std::vector<std::string> site_order = {};
  bool has_default_rate = false;  ///< after a calibration train.learning_rate is the default
  bool sweeps_rate = false;       ///< train.learning_rate is found by sweep_rates
  bool control = false;  ///< train the original on, too, with the same budget, data and seed
  /// Calibrate and train so many times, with train.seed and those after it, the control as well, to
  /// say how sure the difference is. The first is exported: nothing is selected. > 0
  std::int64_t seeds = 1;
  std::optional<double> max_drop = {};  ///< largest fall of the metric that is accepted; >= 0
  /// Keep those sites on the old function that would lose more than max_drop (plan_within_drop).
  bool plan_by_sensitivity = false;
  /// Swap no more sites than this latency takes, in ms, on probe_inputs (plan_within_budget).
  std::optional<double> budget_ms = {};
  std::int64_t sensitivity_examples = 1000;      ///< the first of the validation data, for the two
  std::vector<torch::Tensor> probe_inputs = {};  ///< empty: from the data, otherwise guessed
  SelfTest self_test = SelfTest::random;         ///< what the file holds to be checked with
  bool overwrites_original = false;  ///< the output may be the file that the model was read from
  std::string run_directory = {};    ///< where run.json goes; empty: no record is written

  /// Whether there is validation data with a target.
  bool is_measurable() const;
  /// @throws UsageError for what does not go together; FileError where no output can be written.
  void validate() const;
};

struct ConvertCallbacks {
  std::function<void(const std::string&)> on_message;  ///< what is going on, a line each
  /// So many sites are calibrated, of how many.
  std::function<void(std::size_t done, std::size_t count)> on_calibrated_site;
  /// So many passes fitted all layers together, of how many.
  std::function<void(std::size_t done, std::size_t count)> on_calibration_pass;
  std::function<void(const std::string& phase, const Progress&)> on_step;
  std::function<void(const std::string& phase, const EpochRecord&)> on_epoch;
  /// Runs of a model, done and all, while the sensitivity of the sites is measured.
  std::function<void(std::int64_t run, std::int64_t runs)> on_sensitivity;
  std::function<bool()> should_stop;
};

/// Retargets, calibrates and trains where there is data, collapses, verifies, writes, measures.
/// @throws what its parts throw; Error of kind accuracy, with nothing written, where max_drop is
/// not
///   met
ACTSWAP_API Run convert(const Model& model, const Plan& plan, const ConvertOptions& options,
                        const ConvertCallbacks& callbacks = {});

}  // namespace actswap
