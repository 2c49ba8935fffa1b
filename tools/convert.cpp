// actswap convert: from a trained model to a verified export.
#include "export_flags.h"
#include "log/log.h"
#include "plan_table.h"
#include "planning.h"
#include "progress.h"
#include "subcommand.h"

#include <actswap/base/error.h>
#include <actswap/base/memory.h>
#include <actswap/measure/input_spec.h>
#include <actswap/pipeline/class_dim.h>
#include <actswap/pipeline/convert.h>
#include <actswap/pipeline/training_defaults.h>

#include <cstdio>

namespace actswap::tool {

namespace {

// The ramp's share of the training: the model needs most of its time at t = 1 (docs/recovery.md).
constexpr double kRampShare = 0.3;

struct Options {
  std::string model;
  std::string recipe = "auto";
  std::string batch_norm = "auto";
  std::string calibrate;
  CalibrationFlags calibration;
  std::string train;
  std::string validation;
  DataOptions data;
  PlanFlags plan;
  std::string loss = "auto";
  std::string augmentation = "none";
  std::optional<std::int64_t> class_dim;
  std::string optimizer = "adamw";
  std::string learning_rate = "calibrated";
  bool keeps_best = false;
  std::string order = "together";
  std::string blend_code = "fused";
  std::optional<std::string> curve;
  std::optional<std::string> ramp_unit;
  std::optional<double> ramp_begin;
  std::optional<double> ramp_end;
  std::optional<double> hold;
  std::vector<std::string> inputs;
  std::optional<double> epochs;
  bool thaws = false;
  bool is_dry = false;
  ExportFlags exporting;
  std::optional<std::string> run_directory;
  ConvertOptions convert;
};

bool has_ramp(const std::string& recipe) {
  return recipe == "ramp" || recipe == "calibrated-ramp";
}

bool has_calibration(const std::string& recipe) {
  return recipe == "calibrated" || recipe == "calibrated-ramp";
}

Schedule make_schedule(const Options& options) {
  if (!has_ramp(options.recipe)) {
    return Schedule::step({});
  }
  ScheduleOptions ramp{.begin = options.ramp_begin.value_or(0.0),
                       .hold = options.hold.value_or(0.0)};
  if (options.ramp_unit == "steps") {
    ramp.unit = ScheduleUnit::steps;
    if (!options.ramp_end) {
      throw UsageError("Expected --ramp-end with --ramp-unit steps");
    }
  }
  ramp.end =
      options.ramp_end.value_or(std::max(ramp.begin, kRampShare * options.convert.train.epochs));
  return {parse_curve(options.curve.value_or("linear")), ramp};
}

// What the evidence says is best (docs/recovery.md), unless something else is asked for.
void choose_recipe(Options& options) {
  const bool is_ramp_described = options.convert.train.bound || options.order != "together" ||
                                 options.curve || options.ramp_begin || options.ramp_end ||
                                 options.hold || options.ramp_unit;
  if (options.recipe == "auto") {
    const std::string ramp = options.calibrate.empty() ? "ramp" : "calibrated-ramp";
    options.recipe = is_ramp_described ? ramp : "calibrated";
  }
  if (is_ramp_described && !has_ramp(options.recipe)) {
    throw UsageError("Expected no ramp with the recipe '" + options.recipe +
                     "', whose t is 1 from the start");
  }
  auto& train = options.convert.train;
  train.keeps_statistics = options.batch_norm == "running" ||
                           (options.batch_norm == "auto" &&
                            (options.recipe == "calibrated" || train.loss.has(Signal::layers)));
  if (!options.calibrate.empty() && !has_calibration(options.recipe)) {
    throw UsageError("Expected no --calibrate with the recipe '" + options.recipe + "'");
  }
}

void set_learning_rate(Options& options) {
  options.convert.sweeps_rate = options.learning_rate == "auto";
  options.convert.has_default_rate = options.learning_rate == "calibrated" &&
                                     options.recipe == "calibrated" &&
                                     options.convert.train.optimizer == OptimizerKind::adamw;
  if (!options.convert.sweeps_rate && options.learning_rate != "calibrated" &&
      !CLI::detail::lexical_cast(options.learning_rate, options.convert.train.learning_rate)) {
    throw UsageError("Expected --lr calibrated, auto or a number, but got '" +
                     options.learning_rate + "'");
  }
}

void load_all_data(Options& options, const Model& model) {
  const auto names = argument_names(model.module);
  if (!options.calibrate.empty()) {
    options.convert.calibration_data = load_data(options.calibrate, names, options.data);
  }
  if (!options.train.empty()) {
    options.convert.train_data = load_data(options.train, names, options.data);
  }
  if (has_calibration(options.recipe) && options.calibrate.empty()) {
    options.convert.calibration_data = options.convert.train_data;
  }
  if (!options.validation.empty()) {
    options.convert.validation_data = load_data(options.validation, names, options.data);
  }
  options.convert.probe_inputs = make_inputs(options.inputs);
  options.convert.calibration = options.calibration.resolved(options.convert.train_data != nullptr);
}

// What --loss, --class-dim and --batch-norm leave open.
void set_what_is_learnt(Options& options, const Model& model) {
  auto& train = options.convert.train;
  const auto found = find_class_dim(model, *options.convert.train_data, options.class_dim);
  const auto steps = train.steps(options.convert.train_data->size());
  train.class_dim = found.value_or(train.class_dim);
  const bool learns_labels =
      options.loss == "auto" ? found.has_value() : train.loss.has(Signal::cross_entropy);
  if (options.batch_norm == "auto" && !train.loss.has(Signal::layers)) {
    train.keeps_statistics = train.keeps_statistics && stays_by_calibration(learns_labels, steps);
  }
  if (options.loss == "auto") {
    const bool compares_layers = options.recipe == "calibrated" && train.keeps_statistics;
    train.loss = default_loss(found.has_value(), compares_layers, steps);
    log_info("trained on: " + to_string(train.loss));
  }
}

int run(const CommonOptions& common, Options& options) {
  if (options.epochs.value_or(0.0) != 0.0 && options.train.empty()) {
    throw UsageError("Expected --train DATA with --epochs");
  }
  // No training data and no epochs say the same.
  if (options.epochs == 0.0) {
    options.train.clear();
  }
  if (options.loss != "auto") {
    options.convert.train.loss = parse_loss(options.loss);
  }
  choose_recipe(options);
  options.convert.train.epochs = options.epochs.value_or(options.convert.train.epochs);
  options.convert.train.augmentation = parse_augmentation(options.augmentation);
  options.convert.train.class_dim = options.class_dim.value_or(options.convert.train.class_dim);
  options.convert.train.optimizer = parse_optimizer(options.optimizer);
  options.convert.train.keep = options.keeps_best ? Keep::best : Keep::last;
  options.convert.order = parse_site_order(options.order);
  options.convert.blend_code = options.blend_code == "stock" ? BlendCode::stock : BlendCode::fused;
  set_learning_rate(options);
  if (!options.train.empty()) {
    options.convert.train.validate();
    options.convert.schedule = make_schedule(options);
  }
  const auto model = load_model(options.model, options.thaws);
  const auto the_plan = make_plan(model, options.plan);
  if (options.is_dry) {
    print_plan(common, model, the_plan);
    return 0;
  }
  options.exporting.check(options.convert.output,
                          {options.model, options.calibrate, options.train, options.validation});
  options.exporting.check(options.convert.output, options.inputs);
  load_all_data(options, model);
  if (!options.train.empty()) {
    set_what_is_learnt(options, model);
    keep_freed_memory();
  }
  warn_of_fixed_mode(model, !options.train.empty());
  options.convert.run_directory = options.run_directory.value_or(
      options.train.empty() && options.calibrate.empty() ? "" : options.convert.output + ".run");

  options.convert.self_test = parse_self_test(options.exporting.self_test);
  options.convert.overwrites_original = options.exporting.force;

  catch_signals();
  ProgressDisplay display(common.quiet);
  ConvertCallbacks callbacks;
  callbacks.on_message = [&](const std::string& text) { display.message(text); };
  callbacks.on_calibrated_site = [&](std::size_t done, std::size_t count) {
    display.count("calibrate", static_cast<std::int64_t>(done), static_cast<std::int64_t>(count));
  };
  callbacks.on_calibration_pass = [&](std::size_t done, std::size_t count) {
    display.count("fit together", static_cast<std::int64_t>(done),
                  static_cast<std::int64_t>(count));
  };
  callbacks.on_step = [&](const std::string& phase, const Progress& progress) {
    display.step(phase, progress);
  };
  callbacks.on_sensitivity = [&](std::int64_t run, std::int64_t runs) {
    display.count("sensitivity", run, runs);
  };
  callbacks.on_epoch = [&](const std::string& phase, const EpochRecord& epoch) {
    display.epoch(phase, epoch);
  };
  callbacks.should_stop = [] { return stop_signal() != 0; };
  const auto run = convert(model, the_plan, options.convert, callbacks);
  report_export(run.verification);
  std::printf("%s", common.json ? (to_json(run) + "\n").c_str() : summary_table(run).c_str());
  return 0;
}

void add_training_flags(CLI::App& app, Options& options) {
  auto& train = options.convert.train;
  app.add_option("--train", options.train, "Training data: images,labels (idx) or a .pt file");
  app.add_option("--val", options.validation, "Validation data, for the figures of the summary");
  add_data_flags(app, options.data);
  app.add_option("--epochs", options.epochs, "Epochs of fine-tuning, with --train; 0: a plain swap")
      ->default_str("1");
  app.add_option("--batch", train.batch_size, "Batch size");
  app.add_option("--augment", options.augmentation,
                 "Random changes of the training images, for labels of whole images: flip, crop=4 "
                 "(pixels), flip+crop=4; none");
  app.add_option(
      "--loss", options.loss,
      "A sum like distil+0.5*cross-entropy of: distil, distil-mse, distil-cosine, sites, "
      "layers (these compare with the original and need no labels), cross-entropy, mse, "
      "module:FILE.pt (TorchScript, called with outputs and targets); auto: distil, "
      "with the recipe calibrated 3*layers, and where the training data has classes "
      "min(1, steps / 400)*cross-entropy");
  app.add_option("--temperature", train.temperature, "Of distil");
  app.add_option(
      "--class-dim", options.class_dim,
      "Dimension of the classes in the outputs, for distil and cross-entropy (default: 1, "
      "or the last where the labels fit that alone)");
  app.add_option("--optimizer", options.optimizer, "adamw, sgd");
  app.add_option(
      "--lr", options.learning_rate,
      "Peak learning rate; auto: by a sweep of short trainings, on training data held out; "
      "calibrated: with adamw and the recipe calibrated 0.0003, or more where the calibration has "
      "left large errors, times min(1, sqrt(steps / 400)); otherwise 0.0003");
  app.add_option("--momentum", train.momentum, "Of sgd");
  app.add_option("--weight-decay", train.weight_decay, "On tensors of two and more dimensions");
  app.add_option("--clip", train.clip_norm, "Largest norm of the gradient; 0: no clipping");
  app.add_option("--warmup", train.warmup, "Share of the steps with a rising rate");
  app.add_option("--average", train.average,
                 "Decay of the average of the weights, which is what is exported; "
                 "counts from t = 1 on; 0: none");
  app.add_option(
         "--batch-norm", options.batch_norm,
         "While training: batch, by the statistics of each batch; running, by those that are "
         "kept, which then stay; auto: running with the recipe calibrated, unless 400 steps or "
         "more with cross-entropy follow, otherwise batch")
      ->check(CLI::IsMember({"auto", "batch", "running"}));
  app.add_option(
      "--check-every", train.check_every,
      "Epochs (fractions too) between checks on the validation data; 0: a twentieth of the "
      "training, where --keep-best, --patience or --bound need them");
  app.add_flag("--keep-best", options.keeps_best,
               "Export the best check at t = 1, not the last step (on the same validation data its "
               "figure is then too good)");
  app.add_option("--patience", train.patience,
                 "End after so many checks at t = 1 in a row without a better one; 0: never");
  app.add_option("--seed", train.seed, "Of shuffling, augmentation and dropout")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--seeds", options.convert.seeds,
                 "Calibrate and train so many times, with --seed and those after it, and say how "
                 "sure the difference is; the first is exported");
  app.add_flag("--control", options.convert.control,
               "Train the original on as well, with the same budget, and compare");
}

void add_calibration_flags(CLI::App& app, Options& options) {
  app.add_option("--recipe", options.recipe,
                 "calibrated: fit the swapped model to the original without labels, then train "
                 "at t = 1; ramp: let t rise while training; calibrated-ramp: what the fit changed "
                 "moves in with t; hard: train at t = 1; auto: calibrated, or a ramp where one is "
                 "described")
      ->check(CLI::IsMember({"auto", "calibrated", "calibrated-ramp", "ramp", "hard"}));
  app.add_option("--calibrate", options.calibrate,
                 "Inputs to calibrate on (default: the training data); needs no labels");
  options.calibration.add(app);
}

void add_ramp_flags(CLI::App& app, Options& options) {
  app.add_option("--curve", options.curve, "How t rises: linear, cosine, cubic, step")
      ->default_str("linear");
  app.add_option("--ramp-begin", options.ramp_begin, "Where t leaves 0")->default_str("0");
  app.add_option("--ramp-end", options.ramp_end, "Where t reaches 1 (default: 0.3 of the epochs)");
  app.add_option(
         "--hold", options.hold,
         "How long t must stay at 1 at least; with --bound half of the training unless given")
      ->default_str("0");
  app.add_option("--order", options.order,
                 "Which site moves when: together, or one after another: forward, backward, "
                 "sensitivity (that whose swap costs least first)");
  app.add_option(
         "--blend-code", options.blend_code,
         "What blends are made of while training: fused, one pass over memory where there is "
         "a kernel; stock, LibTorch's operators, as blended files have them")
      ->check(CLI::IsMember({"fused", "stock"}));
  app.add_option("--bound", options.convert.train.bound,
                 "The ramp waits, or goes back, while the validation metric is worse than the "
                 "original's by more than this (without labels: the relative error)");
  app.add_option("--ramp-unit", options.ramp_unit, "Unit of the three")
      ->default_str("epochs")
      ->check(CLI::IsMember({"epochs", "steps"}));
}

}  // namespace

void register_convert(CLI::App& app, CommonOptions& common, Action& action) {
  const auto options = std::make_shared<Options>();
  auto* subcommand = add_subcommand(app, common, action, "convert",
                                    "Retarget a model: swap, fine-tune, verify, export",
                                    [&common, options] { return run(common, *options); });
  subcommand->add_option("model", options->model, "TorchScript file")->required();
  subcommand->add_option("-o,--output", options->convert.output, "File to write")->required();
  options->plan.add(*subcommand);
  subcommand->add_flag("--thaw", options->thaws,
                       "Make the constant weights of a frozen model parameters, to train them");
  subcommand->add_flag("--dry-run", options->is_dry,
                       "Show what would become of each site, and write nothing");
  add_calibration_flags(*subcommand, *options);
  add_training_flags(*subcommand, *options);
  add_ramp_flags(*subcommand, *options);
  subcommand
      ->add_option("--input", options->inputs,
                   "Probe input for verification and timing, like 8x3x224x224")
      ->allow_extra_args(false);
  options->exporting.add(*subcommand);
  subcommand
      ->add_option("--max-drop", options->convert.max_drop,
                   "Write nothing (exit code 5) where the metric falls by more")
      ->check(CLI::NonNegativeNumber);
  subcommand->add_flag("--plan-by-sensitivity", options->convert.plan_by_sensitivity,
                       "With --max-drop: keep the sites whose swaps would cost more than that");
  subcommand->add_option("--budget-ms", options->convert.budget_ms,
                         "Swap no more sites than it takes for this latency on --input");
  subcommand->add_option("--sensitivity-examples", options->convert.sensitivity_examples,
                         "Of --val, to measure each site's swap on, for the two");
  subcommand->add_option("--run-dir", options->run_directory,
                         "Where run.json goes (default: OUTPUT.run when training)");
}

}  // namespace actswap::tool
