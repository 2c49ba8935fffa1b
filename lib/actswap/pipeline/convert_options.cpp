#include <actswap/base/error.h>
#include <actswap/base/files.h>
#include <actswap/export/output_name.h>
#include <actswap/pipeline/convert_options.h>
#include <actswap/pipeline/run_directory.h>
#include <actswap/pipeline/text.h>

namespace actswap {

void ConvertOptions::validate() const {
  if (together.is_first()) {
    check_output_name(output);
    check_writable(output);
    check_run_directory(run_directory, output);
  }
  if (!together.is_alone() && prune) {
    throw UsageError(
        "Expected one process with --prune or --prune-to, but there are " +
        std::to_string(together.share().count) +
        ": processes cannot share the work of pruning; prune in one, then train in several");
  }
  if (max_drop && !(*max_drop >= 0.0)) {
    throw UsageError("Expected a largest drop of 0 or more, but got " + number(*max_drop));
  }
  if (budget_ms && !(*budget_ms > 0.0)) {
    throw UsageError("Expected a budget above 0 ms, but got " + number(*budget_ms));
  }
  if (plan_by_sensitivity && budget_ms) {
    throw UsageError("Expected --plan-by-sensitivity or --budget-ms, but both are given");
  }
  if (min_agreement && !(*min_agreement > 0.0 && *min_agreement <= 1.0)) {
    throw UsageError("Expected a least agreement above 0, 1 at most, but got " +
                     number(*min_agreement));
  }
  if (min_agreement && (plan_by_sensitivity || budget_ms)) {
    throw UsageError("Expected one goal for the plan, but --min-agreement is given together with " +
                     std::string(budget_ms ? "--budget-ms" : "--plan-by-sensitivity"));
  }
  if (sensitivity_examples < 1) {
    throw UsageError("Expected sensitivity_examples > 0, but got " +
                     std::to_string(sensitivity_examples));
  }
  if (prune && recipe == Recipe::ramp) {
    throw UsageError(
        "Expected the recipe calibrated or calibrated-ramp with --prune or --prune-to, but got "
        "ramp: the worth of units is known only once the layers that read them are calibrated");
  }
  if (prune && train_data && recipe != Recipe::calibrated_ramp && train.loss.has(Signal::sites)) {
    throw UsageError("Expected a loss without sites with --prune or --prune-to, but got " +
                     to_string(train.loss) +
                     ": sites of the original have units that the pruned model lacks; "
                     "take layers, or --recipe calibrated-ramp");
  }
  if (keeps_activations && (plan_by_sensitivity || budget_ms || min_agreement)) {
    throw UsageError("Expected no choice of sites with --keep-activations, but got " +
                     std::string(plan_by_sensitivity ? "--plan-by-sensitivity"
                                 : budget_ms         ? "--budget-ms"
                                                     : "--min-agreement"));
  }
  if (seeds < 1) {
    throw UsageError("Expected seeds > 0, but got " + std::to_string(seeds));
  }
}

namespace {

std::string in_words(const LearningRate& rate) {
  switch (rate.kind) {
    case LearningRate::Kind::fixed:
      return to_string(rate);
    case LearningRate::Kind::swept:
      return "by a sweep";
    case LearningRate::Kind::searched:
      return "by a line search";
    case LearningRate::Kind::calibrated:
      return "by the calibration";
  }
  return "";
}

}  // namespace

std::string describe(const ConvertOptions& options) {
  const auto pruned = options.prune ? "pruned " + to_string(options.prune->budget) : std::string();
  if (!options.train_data) {
    return options.keeps_activations  ? pruned
           : options.calibration_data ? "calibrated" + (options.prune ? ", " + pruned : "")
                                      : "a plain swap";
  }
  const auto& train = options.train;
  const auto rate = in_words(options.learning_rate);
  return to_string(options.recipe) + (options.prune ? ", " + pruned : "") + ", trained on " +
         to_string(train.loss) + ", " + number(train.epochs) +
         (train.epochs == 1.0 ? " epoch" : " epochs") + ", learning rate " + rate + ", " +
         in_words(options.schedule);
}

}  // namespace actswap
