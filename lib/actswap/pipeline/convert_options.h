// The options of a conversion, with nothing left open: `resolve` (recipe.h) makes them.
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
  /// Units to remove after the calibration, which this needs; empty: none.
  std::optional<PruneOptions> prune = {};
  /// Swap nothing: only remove units and fit the rest to the original.
  bool keeps_activations = false;
  std::shared_ptr<Dataset> train_data = {};       ///< empty: no training
  std::shared_ptr<Dataset> validation_data = {};  ///< empty: no metrics
  /// Whether these are in batches that the model takes (in_batches_of).
  bool has_batches = false;
  /// For a run with train_data. If `learning_rate` is fixed, it sets this learning_rate.
  TrainOptions train;
  LearningRate learning_rate;
  /// How many training examples to hold out, to search the rate, keep the best check and undo harm;
  /// 0: none. Only after a calibration, and if t is 1 from the start.
  std::int64_t held_out = 0;
  /// Whether checks measure the loss on those. Otherwise they use the validation data.
  bool checks_held_out = false;
  /// For a run with train_data. If t rises after a calibration, the calibration's changes move in
  /// with t (CalibratedRamp).
  Schedule schedule = Schedule::step({});
  /// The operators of the blends during training; the export is the same.
  BlendCode blend_code = BlendCode::fused;
  /// Together, or one after another within the schedule's begin and end.
  SiteOrder order = SiteOrder::together;
  /// Ids of all sites that the plan swaps, in an order of your own; empty: `order` applies.
  std::vector<std::string> site_order = {};
  bool control = false;  ///< train the original on too, with the same budget, data and seed
  /// Calibrate and train this many times, with train.seed and those after it, the control as well,
  /// to say how certain the difference is. The first is exported, whichever is best. > 0
  std::int64_t seeds = 1;
  std::optional<double> max_drop = {};  ///< largest fall of the metric that is accepted; >= 0
  /// Keep the old function at sites that would lose more than max_drop (plan_within_drop).
  bool plan_by_sensitivity = false;
  /// Swap only as many sites as this latency on probe_inputs requires, in ms (plan_within_budget).
  std::optional<double> budget_ms = {};
  /// Keep the old function at as few sites as this agreement with the original allows, and accept
  /// no less from the exported model (choose_partial_swap); in (0, 1].
  std::optional<double> min_agreement = {};
  AgreementMeasure agreement = AgreementMeasure::explained;  ///< with min_agreement
  /// With min_agreement: inputs without targets, of the validation data, or else held out of the
  /// calibration data.
  std::shared_ptr<Dataset> agreement_data = {};
  std::int64_t sensitivity_examples = 1000;      ///< how many examples the plan is made on
  std::vector<torch::Tensor> probe_inputs = {};  ///< empty: from the data, otherwise guessed
  SelfTest self_test = SelfTest::random;         ///< what the file holds for later checks
  bool overwrites_original = false;  ///< the output may be the file that the model was read from
  /// The processes that convert together. Only the first has a run_directory and writes anything.
  Together together = {};

  /// Whether there is validation data with a target.
  bool is_measurable() const { return has_labels(validation_data.get()); }
  /// @throws UsageError for a value outside its range and options that exclude each other;
  ///   FileError if no output or no record can be written
  void validate() const;
};

/// The recipe in a sentence: "calibrated, then trained on distil+3*layers, ...".
ACTSWAP_API std::string describe(const ConvertOptions& options);

}  // namespace actswap
