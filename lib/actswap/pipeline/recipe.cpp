#include <actswap/base/error.h>
#include <actswap/data/labels.h>
#include <actswap/data/loaded_data.h>
#include <actswap/data/split.h>
#include <actswap/pipeline/batches.h>
#include <actswap/pipeline/effects.h>
#include <actswap/pipeline/model_outputs.h>
#include <actswap/pipeline/recipe.h>
#include <actswap/pipeline/training_defaults.h>
#include <actswap/train/ramps.h>

#include <algorithm>
#include <utility>

namespace actswap {

namespace {

// The ramp's share of the training: the model needs most of its time at t = 1 (docs/recovery.md).
constexpr double kRampShare = 0.3;

// One run of the model for each site, each on so many examples.
constexpr std::int64_t kAgreementExamples = 64;

constexpr std::int64_t kRetries = 3;

template <typename T>
void set(T& value, const std::optional<T>& asked) {
  value = asked.value_or(value);
}

void expect_examples(const std::shared_ptr<Dataset>& data, const char* what) {
  if (data && data->size() == 0) {
    throw UsageError(std::string("Expected examples in the ") + what + " data, but there are none");
  }
}

Recipe choose_recipe(const ConvertRequest& request) {
  if (request.recipe) {
    return *request.recipe;
  }
  if (!request.ramp.is_described()) {
    return Recipe::calibrated;
  }
  return request.calibration_data ? Recipe::calibrated_ramp : Recipe::ramp;
}

LearningRate choose_rate(const ConvertRequest& request, const ConvertOptions& options) {
  const bool follows_calibration =
      options.recipe == Recipe::calibrated &&
      request.train.optimizer.value_or(OptimizerKind::adamw) == OptimizerKind::adamw;
  const auto kind = !follows_calibration   ? LearningRate::Kind::fixed
                    : options.held_out > 0 ? LearningRate::Kind::searched
                                           : LearningRate::Kind::calibrated;
  const auto rate = request.train.learning_rate.value_or(LearningRate{.kind = kind});
  if (rate.kind == LearningRate::Kind::searched && options.held_out == 0) {
    throw UsageError(
        "Expected for --lr search the recipe calibrated, a loss without labels and 32 training "
        "examples or more, but got " +
        to_string(options.recipe) + ", " + to_string(options.train.loss) + " and " +
        std::to_string(options.train_data->size()));
  }
  return rate;
}

Schedule make_schedule(const RampRequest& ramp, Recipe recipe, double epochs) {
  if (!has_ramp(recipe)) {
    return Schedule::step({});
  }
  if (ramp.unit == ScheduleUnit::steps && !ramp.end) {
    throw UsageError("Expected --ramp-end with --ramp-unit steps: its default is in epochs");
  }
  ScheduleOptions options;
  set(options.begin, ramp.begin);
  set(options.hold, ramp.hold);
  set(options.unit, ramp.unit);
  options.end = ramp.end.value_or(std::max(options.begin, kRampShare * epochs));
  return {ramp.curve.value_or(Curve::linear), options};
}

// What needs no look at model and data.
TrainOptions train_options(const ConvertRequest& request) {
  const auto& asked = request.train;
  TrainOptions options;
  set(options.epochs, asked.epochs);
  set(options.batch_size, asked.batch_size);
  set(options.loss, asked.loss);
  set(options.temperature, asked.temperature);
  set(options.class_dim, asked.class_dim);
  set(options.optimizer, asked.optimizer);
  set(options.momentum, asked.momentum);
  set(options.weight_decay, asked.weight_decay);
  set(options.clip_norm, asked.clip_norm);
  set(options.warmup, asked.warmup);
  set(options.average, asked.average);
  set(options.augmentation, asked.augmentation);
  set(options.check_every, asked.check_every);
  set(options.keep, asked.keep);
  set(options.patience, asked.patience);
  options.retries = asked.retries.value_or(kRetries);
  set(options.seed, request.seed);
  options.bound = request.ramp.bound;
  return options;
}

void check_ramp(const ConvertOptions& options) {
  const auto examples = options.train_data->size();
  const auto batches = static_cast<double>(options.train.batches_per_epoch(examples));
  const auto steps = static_cast<double>(options.train.steps(examples));
  const Ramps ramps({options.schedule}, batches, steps / batches);
  if (options.train.bound) {
    ramps.closed_loop(*options.train.bound);
  }
}

// Whether the loss compares with labels. A module may look at them.
bool takes_labels(const Loss& loss, const Dataset& data) {
  return loss.needs_target() || (loss.has(Signal::module) && has_labels(&data));
}

// Holds out at least one fixed batch, if another remains to learn from.
std::int64_t held_out_in_batches(const Dataset& data, double epochs) {
  const auto held_out = default_held_out(data.size(), epochs);
  const auto fixed = data.fixed_batch();
  return data.size() < 2 * fixed ? 0 : std::max(held_out, held_out > 0 ? fixed : 0);
}

// If a training after a calibration learns only from the original, it must do no harm.
void choose_checks(const ConvertRequest& request, ConvertOptions& options) {
  auto& train = options.train;
  const auto& asked = request.train;
  if (options.recipe != Recipe::calibrated || takes_labels(train.loss, *options.train_data)) {
    return;
  }
  options.held_out = held_out_in_batches(*options.train_data, train.epochs);
  const bool asks_for_checks =
      asked.keep || asked.patience || asked.check_every || request.ramp.bound;
  if (options.held_out > 0 && !asks_for_checks) {
    options.checks_held_out = true;
    train.keep = Keep::best;
    train.check_every = train.epochs / kLabelFreeChecks;
  }
}

// Called before the first step: otherwise a wrong label would end the training when it comes to it,
// or the default loss would do without all labels.
void check_labels(const LabelRange& labels, const ConvertRequest& request) {
  const auto& loss = request.train.loss;
  if (loss ? loss->has(Signal::cross_entropy) : labels.are_mostly_classes()) {
    labels.expect_classes("training");
  }
  if (request.validation_data && labels.count > 0 && labels.outside == 0) {
    label_range(*request.validation_data, labels.classes).expect_classes("validation");
  }
}

// If the model takes a certain number of examples at a time, a step takes several such batches.
std::int64_t batch_of_fixed(std::optional<std::int64_t> asked, std::int64_t usual,
                            std::int64_t fixed) {
  if (asked && *asked % fixed != 0) {
    throw UsageError("Expected batches of a multiple of " + std::to_string(fixed) +
                     ", since the model takes no other number of examples, but got " +
                     std::to_string(*asked) + " (--batch)");
  }
  return asked.value_or(std::max(fixed, usual / fixed * fixed));
}

// What the request leaves open of loss, classes, batch norms and the rate.
void choose_what_is_learnt(const Model& model, const ConvertRequest& request,
                           ConvertOptions& options) {
  const auto& asked = request.train;
  auto& train = options.train;
  const bool is_calibrated = options.recipe == Recipe::calibrated;
  const bool asks_for_layers = asked.loss && asked.loss->has(Signal::layers);
  train.keeps_statistics = asked.keeps_statistics.value_or(is_calibrated || asks_for_layers);
  train.validate();  // before its numbers are computed with
  const auto outputs = look_at_outputs(model, *options.train_data, asked.class_dim);
  check_labels(outputs.labels, request);
  train.outputs = outputs.forms;
  set(train.class_dim, outputs.class_dim);
  const bool learns_labels =
      asked.loss ? asked.loss->has(Signal::cross_entropy) : outputs.class_dim.has_value();
  const auto examples = options.train_data->size();
  if (!asked.batch_size) {
    const bool has_labels =
        asked.loss ? takes_labels(*asked.loss, *options.train_data) : outputs.class_dim.has_value();
    train.batch_size = default_batch_size(has_labels, examples, train.epochs);
  }
  if (const auto fixed = options.train_data->fixed_batch(); fixed > 0) {
    train.batch_size = batch_of_fixed(asked.batch_size, train.batch_size, fixed);
  }
  const auto steps = train.steps(examples);
  if (!asked.keeps_statistics && !asks_for_layers) {
    train.keeps_statistics = train.keeps_statistics && stays_by_calibration(learns_labels, steps);
  }
  if (!asked.loss) {
    train.loss = default_loss(default_comparison(outputs.forms), learns_labels,
                              is_calibrated && train.keeps_statistics, steps);
  }
  choose_checks(request, options);
  options.learning_rate = choose_rate(request, options);
  train.learning_rate = options.learning_rate.value;
  train.is_rate_relative = options.learning_rate.kind == LearningRate::Kind::searched ||
                           options.learning_rate.is_relative;
  train.validate();
  check_loss(model, *options.train_data, train);
}

// How the agreement is measured, and on which inputs: those held out are no longer calibrated on.
void choose_agreement(const Model& model, const ConvertRequest& request, ConvertOptions& options) {
  if (options.validation_data) {
    options.agreement_data = without_targets(options.validation_data);
  } else {
    const auto split =
        hold_out(options.calibration_data, options.calibration.inputs, options.train.seed);
    options.calibration_data = split.fitted;
    options.agreement_data = split.held_out;
  }
  if (request.agreement) {
    options.agreement = *request.agreement;
    return;
  }
  const auto& data = has_labels(request.validation_data.get()) ? *options.validation_data
                                                               : *options.agreement_data;
  options.agreement =
      default_agreement(look_at_outputs(model, data, request.train.class_dim).forms);
}

}  // namespace

ConvertOptions resolve(const Model& model, const ConvertRequest& request) {
  expect_examples(request.calibration_data, "calibration");
  expect_examples(request.train_data, "training");
  expect_examples(request.validation_data, "validation");
  check_same_classes(request.train_data.get(), request.validation_data.get(),
                     "training and validation");
  const auto recipe = choose_recipe(request);
  check_effects(request, recipe);
  const bool trains = request.trains();

  ConvertOptions options;
  options.together = Together(request.ranks);
  options.output = request.output;
  options.recipe = recipe;
  options.train_data = trains ? request.train_data : nullptr;
  options.calibration_data = request.calibration_data  ? request.calibration_data
                             : has_calibration(recipe) ? options.train_data
                                                       : nullptr;
  const bool has_data = trains || options.calibration_data;
  options.run_directory =
      request.run_directory.value_or(has_data ? request.output + ".run" : std::string());
  if (!options.together.is_first()) {
    options.run_directory.clear();
  }
  options.configuration = request.configuration;
  set(options.checkpoint_every, request.checkpoint_every);
  options.resumes = request.resumes;
  options.invocation = request.invocation;
  options.data_files = request.data_files;
  options.validation_data = request.validation_data;
  options.probe_inputs = request.probe_inputs;
  set(options.self_test, request.self_test);
  options.overwrites_original = request.overwrites_original;
  options.calibration = request.calibration.resolved(trains);
  options.calibration.together = options.together;
  options.prune = request.prune.resolved(options.calibration);
  if (options.prune) {  // what remains has more to make up for
    options.prune->calibration.draws_each_pass = request.calibration.draws_each_pass.value_or(true);
  }
  options.keeps_activations = request.keeps_activations;
  options.train = train_options(request);
  options.train.ranks = request.ranks;
  if (trains) {
    options.schedule = make_schedule(request.ramp, recipe, options.train.epochs);
  }
  set(options.blend_code, request.blend_code);
  set(options.order, request.ramp.order);
  options.site_order = request.ramp.site_order;
  options.control = request.control;
  set(options.seeds, request.seeds);
  options.max_drop = request.max_drop;
  options.plan_by_sensitivity = request.plan_by_sensitivity;
  options.budget_ms = request.budget_ms;
  options.min_agreement = request.min_agreement;
  options.sensitivity_examples =
      request.sensitivity_examples.value_or(options.min_agreement ? kAgreementExamples : 1000);
  options.validate();
  if (options.min_agreement || trains) {  // which run the model on some of the data
    options = with_batches(model, options);
  }
  if (options.min_agreement) {
    choose_agreement(model, request, options);
  }
  if (trains) {
    choose_what_is_learnt(model, request, options);
    check_ramp(options);
  }
  return options;
}

}  // namespace actswap
