// A user's request for a conversion. `resolve` (recipe.h) fills in the fields left empty.
#pragma once

#include <actswap/base/export.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/data/augmentation.h>
#include <actswap/data/dataset.h>
#include <actswap/export/self_test.h>
#include <actswap/graph/blend.h>
#include <actswap/measure/agreement_measure.h>
#include <actswap/pipeline/checkpoint_interval.h>
#include <actswap/pipeline/site_order.h>
#include <actswap/prune/prune.h>
#include <actswap/ranks/ranks.h>
#include <actswap/report/run_status.h>
#include <actswap/schedule/schedule.h>
#include <actswap/train/learning_rate.h>
#include <actswap/train/trainer.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace actswap {

/// How a model gets from its old functions to the new ones.
enum class Recipe {
  calibrated,       ///< fit the swapped model to the original, then train at t = 1
  calibrated_ramp,  ///< the same fit, but its changes move in with t
  ramp,             ///< no fit: t rises while the model trains
  hard,             ///< no fit: train at t = 1
};
/// "calibrated", "calibrated-ramp", "ramp", "hard". @throws UsageError
ACTSWAP_API Recipe parse_recipe(std::string_view name);
ACTSWAP_API std::string to_string(Recipe recipe);
ACTSWAP_API bool has_calibration(Recipe recipe);
ACTSWAP_API bool has_ramp(Recipe recipe);

/// "epochs", "steps". @throws UsageError
ACTSWAP_API ScheduleUnit parse_schedule_unit(std::string_view name);
/// "fused", "stock". @throws UsageError
ACTSWAP_API BlendCode parse_blend_code(std::string_view name);
ACTSWAP_API std::string to_string(BlendCode code);

/// Fields and their defaults are those of CalibrationOptions.
struct ACTSWAP_API CalibrationRequest {
  std::optional<std::int64_t> inputs = {};
  std::optional<std::int64_t> batch_size = {};
  std::optional<std::int64_t> memory = {};
  std::optional<std::int64_t> max_features = {};
  std::optional<std::int64_t> passes = {};
  std::optional<double> minutes = {};
  std::optional<bool> draws_each_pass = {};  ///< default: where a training follows

  /// @throws UsageError for a value outside its range
  CalibrationOptions resolved(bool is_trained) const;
};

/// Fields, and defaults unless it says otherwise, are those of TrainOptions.
struct TrainRequest {
  std::optional<double> epochs = {};            ///< 0: no training
  std::optional<std::int64_t> batch_size = {};  ///< default: default_batch_size
  std::optional<Loss> loss = {};                ///< default: default_loss
  std::optional<double> temperature = {};
  std::optional<std::int64_t> class_dim = {};  ///< default: look_at_outputs
  std::optional<OptimizerKind> optimizer = {};
  /// Default: with Recipe::calibrated and AdamW, calibrated if labels are learnt, otherwise
  /// searched; in all other cases fixed at 3e-4.
  std::optional<LearningRate> learning_rate = {};
  std::optional<double> momentum = {};
  std::optional<double> weight_decay = {};
  std::optional<double> clip_norm = {};
  std::optional<double> warmup = {};
  std::optional<double> average = {};
  /// Default: with Recipe::calibrated or the signal `layers`, unless stays_by_calibration says no.
  std::optional<bool> keeps_statistics = {};
  std::optional<Augmentation> augmentation = {};
  std::optional<double> check_every = {};
  /// Default: with Recipe::calibrated, no labels learnt and no checks asked for, the best check on
  /// held-out examples (ConvertOptions::held_out).
  std::optional<Keep> keep = {};
  std::optional<std::int64_t> patience = {};
  std::optional<std::int64_t> retries = {};  ///< default: 3
};

/// A ramp of t. If any field is set and no recipe is given, the recipe is one with a ramp.
struct ACTSWAP_API RampRequest {
  std::optional<Curve> curve = {};  ///< default: linear
  std::optional<ScheduleUnit> unit = {};
  std::optional<double> begin = {};
  std::optional<double> end = {};  ///< default: 0.3 of the epochs, but not before `begin`
  std::optional<double> hold = {};
  std::optional<SiteOrder> order = {};  ///< default: together
  /// Ids of all sites that the plan swaps, in an order of one's own, in place of `order`.
  std::vector<std::string> site_order = {};
  std::optional<double> bound = {};  ///< TrainOptions::bound

  bool is_described() const;
};

/// Fewer units; without a share or a size nothing is pruned.
struct ACTSWAP_API PruneRequest {
  std::optional<double> share = {};        ///< of the multiplications that can be pruned
  std::optional<PruneBudget> to = {};      ///< a latency or a number of parameters
  std::vector<std::string> keep = {};      ///< PruneOptions::keep
  std::optional<std::int64_t> round = {};  ///< PruneOptions::round

  bool is_asked_for() const { return share || to; }
  /// Empty if nothing is asked for. @throws UsageError for a value outside its range
  std::optional<PruneOptions> resolved(const CalibrationOptions& calibration) const;
};

struct ACTSWAP_API ConvertRequest {
  std::string output = {};  ///< the file to write
  /// Where run.json goes; "": no record is written. Default: OUTPUT.run for a conversion that
  /// calibrates or trains, otherwise none.
  std::optional<std::string> run_directory = {};
  std::string configuration = {};  ///< ConvertOptions::configuration
  /// A run with a record writes checkpoints into its folder. Default: every 10 minutes.
  std::optional<CheckpointInterval> checkpoint_every = {};
  /// Whether to continue the run in run_directory, to the same bytes. Model, data, options and
  /// version must be the same.
  bool resumes = false;
  Invocation invocation = {};  ///< for the record
  /// Files that the data comes from; for a resumed run their sizes and times must be the same.
  std::vector<std::string> data_files = {};

  std::shared_ptr<Dataset> calibration_data = {};  ///< needs no target; default: train_data
  std::shared_ptr<Dataset> train_data = {};        ///< empty: no training
  std::shared_ptr<Dataset> validation_data = {};   ///< empty: no metrics
  std::vector<torch::Tensor> probe_inputs = {};    ///< default: from the data, otherwise guessed

  std::optional<SelfTest> self_test = {};  ///< default: random
  bool overwrites_original = false;        ///< ConvertOptions::overwrites_original

  std::optional<Recipe> recipe = {};  ///< default: calibrated, or one with a ramp if one is given
  CalibrationRequest calibration = {};
  TrainRequest train = {};
  RampRequest ramp = {};
  PruneRequest prune = {};
  bool keeps_activations = false;            ///< ConvertOptions::keeps_activations
  std::optional<BlendCode> blend_code = {};  ///< of the blends while they train; default: fused
  std::optional<std::uint64_t> seed = {};    ///< default: 0
  std::optional<std::int64_t> seeds = {};    ///< ConvertOptions::seeds
  bool control = false;                      ///< ConvertOptions::control

  std::optional<double> max_drop = {};  ///< ConvertOptions::max_drop
  bool plan_by_sensitivity = false;     ///< ConvertOptions::plan_by_sensitivity
  std::optional<double> budget_ms = {};
  std::optional<double> min_agreement = {};        ///< ConvertOptions::min_agreement
  std::optional<AgreementMeasure> agreement = {};  ///< default: default_agreement
  /// Default: 1000, with min_agreement 64.
  std::optional<std::int64_t> sensitivity_examples = {};

  /// The processes that convert together: all call convert() with the same model, plan and request
  /// (only rank 0 reads and writes checkpoints, records and the output). They share training,
  /// calibration and measurements. Null: this process alone.
  std::shared_ptr<Ranks> ranks = {};

  /// Whether there is training data, and more than 0 epochs.
  bool trains() const;
};

/// Whether there is data, with an example and a target.
ACTSWAP_API bool has_labels(const Dataset* data);

}  // namespace actswap
