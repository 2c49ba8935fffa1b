// Measures what each site's swap costs and saves when only that site is swapped.
#pragma once

#include <actswap/base/export.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/data/dataset.h>
#include <actswap/graph/plan.h>
#include <actswap/measure/judge.h>
#include <actswap/measure/site_gain.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

struct SensitivityOptions {
  JudgeOptions judging;
  /// Inputs of the forward to time; empty: measures no times.
  std::vector<torch::Tensor> timing_inputs = {};
  int timing_rounds = 15;  ///< > 0
  /// Inputs that each swap is calibrated on, N x ... each (sample_inputs); empty: swaps alone.
  std::vector<std::vector<torch::Tensor>> calibration_batches = {};
  CalibrationOptions calibration = {.passes = 0};  ///< fitting all layers together takes long
};

struct SiteSensitivity {
  std::string id;
  std::string source;  ///< activations, as ActivationSpec::to_string gives them
  std::string target;
  double value = 0.0;  ///< of the measure, with only this site swapped
  double loss = 0.0;   ///< how much worse the measure got; below 0: better; infinite if the
                       ///< outputs are no longer numbers
  /// Of the loss's 95 % interval, paired over the examples (mean_interval).
  double loss_half_width = 0.0;
  double mean_loss_increase = 0.0;    ///< of Evaluation::mean_loss; 0 where the data has no target
  Agreement agreement;                ///< with the original's outputs
  std::optional<SiteGain> time = {};  ///< empty: not measured, or the inputs do not reach the site
};

struct ACTSWAP_API Sensitivity {
  /// The measure of value and loss: "accuracy" (percent) or "mse" if the data has a target,
  /// otherwise "relative_error" (Agreement), which is 0 for the original.
  std::string measure = {};
  double original = 0.0;
  double all_swapped = 0.0;  ///< of the measure, with all sites of the plan swapped at once
  std::int64_t examples = 0;
  bool calibrated = false;                  ///< swaps were calibrated, not swapped alone
  std::optional<double> latency_ms = {};    ///< of the original, on the timing inputs
  std::vector<SiteSensitivity> sites = {};  ///< those that the plan swaps, in its order
  bool has_target() const { return measure != "relative_error"; }
  /// The sum of the sites' losses: sum max(loss, 0).
  double sum_of_losses() const;
};

/// Runs the original and the model with one site swapped (t = 1 there, the old function everywhere
/// else, in eval mode and stock operators, as an export would compute it), for each site that the
/// plan swaps. All run on the same batches of `data`; if it has a target, the measure uses that.
/// @throws UsageError if the plan swaps nothing or data and model do not fit; Interrupted
ACTSWAP_API Sensitivity measure_sensitivity(const Model& model, const Plan& plan,
                                            const Dataset& data,
                                            const SensitivityOptions& options = {});

/// Indices into `sites`, from the best swap to the worst. With times, swaps that lose nothing come
/// first (by gain), then those that gain and lose (by gain per loss), then those that only lose (by
/// loss). Without times, the order is by loss alone.
ACTSWAP_API std::vector<std::size_t> best_first(const Sensitivity& sensitivity);

}  // namespace actswap
