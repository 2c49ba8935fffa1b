// The record of a conversion: everything that happened, as a struct, as JSON, as a table.
#pragma once

#include <actswap/base/export.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/export/export_model.h>
#include <actswap/graph/blend.h>
#include <actswap/graph/plan.h>
#include <actswap/measure/accuracy.h>
#include <actswap/measure/comparison.h>
#include <actswap/measure/judge.h>
#include <actswap/measure/latency.h>
#include <actswap/measure/machine.h>
#include <actswap/measure/partial_swap.h>
#include <actswap/measure/sensitivity.h>
#include <actswap/measure/site_cost.h>
#include <actswap/measure/site_values.h>
#include <actswap/prune/prune.h>
#include <actswap/report/run_status.h>
#include <actswap/train/learning_rate.h>
#include <actswap/train/rate_sweep.h>
#include <actswap/train/trainer.h>
#include <actswap/train/training_safeguard.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

/// The options of a conversion, given or by default; TrainOptions has the rest.
struct RunOptions {
  CalibrationOptions calibration;
  BlendCode blend_code = BlendCode::fused;
  bool control = false;
  std::int64_t seeds = 1;
  std::optional<double> max_drop = {};
  std::int64_t held_out = 0;  ///< training examples set aside to judge the training by
  bool plan_by_sensitivity = false;
  std::optional<double> budget_ms = {};
  std::optional<double> min_agreement = {};
};

/// The removed units, and how good the model was before, after solving for the layers anew, and
/// after the fit of all layers together. Empty if there is no data to measure on.
struct PruneRecord {
  Pruning pruning;
  std::optional<Judgement> swapped = {};
  std::optional<Judgement> pruned = {};
  std::optional<Judgement> refitted = {};
};

struct Run {
  RunState state;
  Invocation invocation;
  std::string options_sha256 = {};  ///< of all that a resumed run must have in common with this
  std::string model_path = {};
  std::string model_sha256;
  std::string output = {};
  std::string run_directory = {};
  Plan plan;
  std::int64_t parameters = 0;
  std::optional<Sensitivity> sensitivity = {};  ///< the basis of the plan
  std::optional<PartialSwap> partial = {};      ///< the search that made the plan
  std::optional<Calibration> calibration = {};
  std::optional<PruneRecord> pruning = {};
  std::vector<std::string> warnings = {};  ///< what looked wrong, a sentence each
  std::string recipe = {};  ///< in words, with what was decided: "calibrated, trained on ..."
  bool trained = false;
  TrainOptions train;
  LearningRate learning_rate;  ///< where train.learning_rate comes from
  RunOptions options;
  std::string schedule = {};                 ///< in words: "linear from 0 to 0.3 epochs"
  std::vector<std::string> site_order = {};  ///< ids, where sites move one after another
  std::optional<RateSweep> rate_sweep = {};  ///< where the learning rate was found by one
  /// If a calibrated model was trained: whether the training was kept.
  std::optional<TrainingEffect> training_effect = {};
  std::vector<EpochRecord> epochs = {};  ///< of the retargeted model
  std::vector<EpochRecord> control_epochs = {};
  std::string control_diverged = {};          ///< how the control's training diverged; empty: not
  std::optional<Evaluation> original = {};    ///< the metric before any change
  std::optional<Evaluation> swap_alone = {};  ///< at t = 1 without training
  std::optional<Evaluation> calibrated = {};  ///< after the calibration, before training
  std::optional<Evaluation> retargeted = {};  ///< of the model that is exported
  std::optional<Evaluation> control = {};     ///< the original trained on with the same budget
  std::optional<Agreement> agreement = {};    ///< of the exported model with the original
  std::optional<Agreement> control_agreement = {};
  /// If several seeds were asked for; the first is that of the exported model.
  std::vector<SeedResult> seeds = {};
  ExportResult verification;
  std::vector<Latency> latency = {};    ///< original, exported; empty where no input is known
  std::optional<Machine> machine = {};  ///< as it was when the latency was measured
  std::map<std::string, SiteRecord> sites = {};  ///< by id, of those that the inputs reach
  double seconds = 0.0;
};

/// schema 1; see docs/formats.md.
ACTSWAP_API std::string to_json(const Run& run);

/// The summary for people: aligned columns, a line a figure.
ACTSWAP_API std::string summary_table(const Run& run);

/// A plan as JSON sites, as `inspect` and the record of a run print it.
ACTSWAP_API std::string to_json(const Plan& plan);

/// What `inspect --json` prints: the model and its sites with what would become of each; see
/// docs/formats.md.
/// @param model that the plan is of
/// @param plan its sites are listed in order
/// @param costs by site id, of those that were measured
/// @param latency of a forward, where it was measured
ACTSWAP_API std::string inspection_json(const Model& model, const Plan& plan,
                                        const std::map<std::string, SiteCost>& costs = {},
                                        const std::optional<Latency>& latency = {});

}  // namespace actswap
