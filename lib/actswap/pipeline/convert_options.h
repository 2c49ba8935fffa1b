// What a conversion does, with nothing left open: made by `resolve` (recipe.h).
#pragma once

#include <actswap/base/export.h>
#include <actswap/pipeline/request.h>
#include <actswap/ranks/together.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

struct ACTSWAP_API ConvertOptions {
  std::string output = {};         ///< the file to write
  std::string run_directory = {};  ///< where run.json goes; empty: no record is written
  /// The section [convert] of a file for `actswap convert --config` that repeats the conversion,
  /// for config.toml beside run.json; empty: none is written.
  std::string configuration = {};
  CheckpointInterval checkpoint_every;  ///< of a run with a record
  bool resumes = false;                 ///< ConvertRequest::resumes
  Invocation invocation = {};
  std::vector<std::string> data_files = {};  ///< ConvertRequest::data_files
  Recipe recipe = Recipe::calibrated;
  std::shared_ptr<Dataset> calibration_data = {};  ///< empty: no calibration; needs no target
  CalibrationOptions calibration;                  ///< of a run with calibration_data
  /// Units that go after the calibration, which they need; empty: none.
  std::optional<PruneOptions> prune = {};
  /// Nothing is swapped: units go, and what remains is fitted to the original.
  bool keeps_activations = false;
  std::shared_ptr<Dataset> train_data = {};       ///< empty: no training
  std::shared_ptr<Dataset> validation_data = {};  ///< empty: no metrics
  /// Whether these are in batches that the model takes (in_batches_of).
  bool has_batches = false;
  /// Of a run with train_data. Its learning_rate is that of `learning_rate` where that is fixed.
  TrainOptions train;
  LearningRate learning_rate;
  /// Training examples that are not trained on, by which the rate is searched, the best check is
  /// kept and harm is undone; 0: none. Only after a calibration, and where t is 1 from the start.
  std::int64_t held_out = 0;
  /// Checks are on those: the loss. Otherwise on the validation data.
  bool checks_held_out = false;
  /// Of a run with train_data. Where t rises after a calibration, what that changed moves in with t
  /// (CalibratedRamp).
  Schedule schedule = Schedule::step({});
  /// What the blends are made of while they are trained; the export is the same.
  BlendCode blend_code = BlendCode::fused;
  /// Together, or one after another within the schedule's begin and end.
  SiteOrder order = SiteOrder::together;
  /// Ids of all sites that the plan swaps, in an order of one's own; empty: `order` says it.
  std::vector<std::string> site_order = {};
  bool control = false;  ///< train the original on, too, with the same budget, data and seed
  /// Calibrate and train so many times, with train.seed and those after it, the control as well, to
  /// say how sure the difference is. The first is exported: nothing is selected. > 0
  std::int64_t seeds = 1;
  std::optional<double> max_drop = {};  ///< largest fall of the metric that is accepted; >= 0
  /// Keep those sites on the old function that would lose more than max_drop (plan_within_drop).
  bool plan_by_sensitivity = false;
  /// Swap no more sites than this latency takes, in ms, on probe_inputs (plan_within_budget).
  std::optional<double> budget_ms = {};
  /// Keep as few sites on the old function as it takes for this agreement with the original, and
  /// accept no less of what is exported (choose_partial_swap); in (0, 1].
  std::optional<double> min_agreement = {};
  AgreementMeasure agreement = AgreementMeasure::explained;  ///< with min_agreement
  /// With min_agreement: inputs without targets, of the validation data, or else held out of the
  /// calibration data.
  std::shared_ptr<Dataset> agreement_data = {};
  std::int64_t sensitivity_examples = 1000;      ///< the first of the data that the plan is made on
  std::vector<torch::Tensor> probe_inputs = {};  ///< empty: from the data, otherwise guessed
  SelfTest self_test = SelfTest::random;         ///< what the file holds to be checked with
  bool overwrites_original = false;  ///< the output may be the file that the model was read from
  /// The processes that convert together. What is not the first has no run_directory, and writes
  /// nothing.
  Together together = {};

  /// Whether there is validation data with a target.
  bool is_measurable() const { return has_labels(validation_data.get()); }
  /// @throws UsageError for a value outside its range and for what does not go together; FileError
  ///   where no output or no record can be written
  void validate() const;
};

/// The recipe in a sentence: "calibrated, then trained on distil+3*layers, ...".
ACTSWAP_API std::string describe(const ConvertOptions& options);

}  // namespace actswap
