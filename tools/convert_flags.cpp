#include "convert_flags.h"

#include <actswap/pipeline/convert_options.h>

namespace actswap::tool {

namespace {

void add_data_and_files(CLI::App& app, ConvertFlags& options) {
  auto& request = options.request;
  app.add_option("model", options.model, "Convert this TorchScript file")
      ->type_name("FILE")
      ->required();
  begin_group(app, "Files", "actswap convert net.pt -o relu.pt --input 8x3x224x224");
  app.add_option("-o,--output", request.output,
                 "Write the converted model to this file (not needed with --dry-run or --resume)")
      ->type_name("FILE")
      ->required();
  begin_group(app, "Data",
              "actswap convert net.pt -o relu.pt --train images,labels --val images2,labels2 "
              "--mean 0.5 --deviation 0.25");
  app.add_option("--train", options.train,
                 "Train on these data: a folder of images, .pt, .npy, .npz, .safetensors, .csv, "
                 "'shard-{000..003}.tar', or images,labels")
      ->type_name("DATA");
  app.add_option("--val", options.validation,
                 "Measure on these data, for the figures of the summary")
      ->type_name("DATA");
  app.add_option("--calibrate", options.calibrate,
                 "Calibrate on these inputs, which need no labels (default: the training data)")
      ->type_name("DATA");
  add_data_flags(app, options.data);
  app.add_option(
         "--input", options.inputs,
         "Verify and time on this input, like 8x3x224x224; once for each argument (default: "
         "from the data, otherwise guessed)")
      ->type_name("SPEC")
      ->allow_extra_args(false);
  begin_group(app, "Files");
  app.add_option("--run-dir", request.run_directory,
                 "Write run.json and config.toml, which repeats the run, into this folder "
                 "(default: OUTPUT.run with --train or --calibrate)")
      ->type_name("FOLDER");
  app.add_option_function<std::string>(
         "--checkpoint-every",
         [&request](const std::string& text) {
           request.checkpoint_every = CheckpointInterval::parse(text);
         },
         "Write a checkpoint into the run's folder this often, 10min or 500steps, and at the end "
         "of each phase; 0: only there")
      ->default_str(to_string(CheckpointInterval()));
  app.add_option("--resume", options.resume,
                 "Continue the run in this folder; no other option is needed")
      ->type_name("FOLDER");
  app.add_flag("--thaw", options.thaws,
               "Make the constant weights of a frozen model parameters, to train them");
  app.add_flag("--dry-run", options.is_dry,
               "Show what would become of each site, and write nothing");
}

void add_recipe_flags(CLI::App& app, ConvertRequest& request) {
  begin_group(app, "Recipe and calibration",
              "actswap convert net.pt -o relu.pt --calibrate inputs.pt --calibrate-inputs 512");
  add_word(app, "--recipe", request.recipe, unless_auto(parse_recipe), "auto",
           "How the model gets to the new functions. calibrated: fit the swapped model to the "
           "original without labels, then train it if there is training data; the best, or level "
           "with the best, on all tasks measured. ramp: no fit; the blend t rises from 0 to 1 "
           "while the model trains; for layers that a calibration cannot fit, or a deep model "
           "without normalisation. calibrated-ramp: fit, but let the fit's changes move in with t; "
           "for training that must not jump. hard: no fit; swap at once, then train; the baseline. "
           "auto: calibrated, or one with a ramp if you give options of a ramp")
      ->check(one_of({"auto", "calibrated", "ramp", "calibrated-ramp", "hard"}));
  add_calibration_flags(app, request.calibration);
  add_number(app, "--seed", request.seed, TrainOptions().seed,
             "Draw the inputs to calibrate on, the order of the data, augmentation and dropout by "
             "this seed");
  add_number(app, "--seeds", request.seeds, 1,
             "Calibrate and train this many times, with --seed and the seeds after it, and say how "
             "certain the difference is; the first is exported")
      ->check(at_least(1));
  app.add_flag("--control", request.control,
               "Also continue to train the original, with the same budget, and compare");
}

void add_training_flags(CLI::App& app, ConvertFlags& options) {
  auto& train = options.request.train;
  const TrainOptions defaults;
  begin_group(app, "Training",
              "actswap convert net.pt -o relu.pt --train train.pt --epochs 3 --loss distil --lr "
              "0.001");
  add_number(app, "--epochs", train.epochs, defaults.epochs,
             "Train for this many epochs, fractions too; 0: do not train")
      ->check(at_least(0));
  app.add_option("--batch", train.batch_size,
                 "Train on this many examples a step (default: 64; without labels fewer, at least "
                 "8, if the training would otherwise take less than 128 steps)")
      ->check(at_least(1));
  add_word(app, "--augment", train.augmentation, parse_augmentation, "none",
           "Change the training images at random, for labels of whole images: flip, crop=4 "
           "(pixels), flip+crop=4; none");
  add_word(
      app, "--loss", train.loss, unless_auto(parse_loss), "auto",
      "Minimise a sum like distil+0.5*cross-entropy of: outputs, distil, distil-mse, "
      "distil-cosine, sites, layers (these compare with the original and need no labels), "
      "cross-entropy, mse, module:FILE.pt (TorchScript, called with outputs and targets). auto "
      "takes distil for the logits of labelled classes, otherwise outputs (each output by its "
      "kind, which the log says); with the recipe calibrated it adds 3*layers, and if the training "
      "data has classes min(1, steps / 400)*cross-entropy");
  add_number(app, "--temperature", train.temperature, defaults.temperature,
             "Soften the classes that distil and outputs compare by this temperature")
      ->check(above(0));
  app.add_option("--class-dim", train.class_dim,
                 "Find the classes in this dimension of the outputs, for distil, outputs and "
                 "cross-entropy (default: where the labels fit, otherwise where the values "
                 "suggest; for distil without labels 1)");
  add_word(app, "--optimizer", train.optimizer, parse_optimizer, to_string(defaults.optimizer),
           "Step by this optimizer")
      ->check(one_of({"adamw", "sgd"}));
  add_word(
      app, "--lr", train.learning_rate, LearningRate::parse, "search or calibrated",
      "Peak learning rate: a number, or one like 0.001rms, a share of each parameter's size; "
      "search: a line search of a few steps finds such a share, on training data held out; auto: "
      "a sweep of short training runs chooses it; calibrated: 0.0003, or more if the calibration "
      "has left large errors, times min(1, sqrt(steps / 400)) (default: with the recipe calibrated "
      "and "
      "adamw, search if no labels are learnt, otherwise calibrated; in all other cases 0.0003)");
  add_number(app, "--momentum", train.momentum, defaults.momentum, "Momentum of sgd")
      ->check(from_to_below(0, 1));
  add_number(app, "--weight-decay", train.weight_decay, defaults.weight_decay,
             "Decay tensors of two and more dimensions by this")
      ->check(at_least(0));
  add_number(app, "--clip", train.clip_norm, defaults.clip_norm,
             "Clip gradients to this norm; 0: do not")
      ->check(at_least(0));
  add_number(app, "--warmup", train.warmup, defaults.warmup,
             "Let the rate rise for this share of the steps")
      ->check(from_to_below(0, 1));
  add_number(app, "--average", train.average, defaults.average,
             "Export an average of the weights with this decay, counted from t = 1 on; 0: the last "
             "weights")
      ->check(from_to_below(0, 1));
  add_word(app, "--batch-norm", train.keeps_statistics, is_word("running"), "auto",
           "batch: train with the statistics of each batch; running: with those that the model "
           "keeps, which then do not change; auto: running with the recipe calibrated, unless 400 "
           "steps or more with cross-entropy follow, otherwise batch")
      ->check(one_of({"auto", "batch", "running"}));
  add_number(app, "--check-every", train.check_every, defaults.check_every,
             "Check the model on the validation data whenever this many epochs are done (fractions "
             "too); 0: a twentieth of the training where --keep-best, --patience or --bound need "
             "checks, otherwise never")
      ->check(at_least(0));
  app.add_flag("--keep-best", options.keeps_best,
               "Export the model of the best check at t = 1, not of the last step (its figure on "
               "the same validation data is then too good; training without labels after a "
               "calibration keeps its best check on held-out training data by default)");
  add_number(
      app, "--retries", train.retries, 3,
      "If the training diverges, return to its last good state and continue at half the rate, "
      "this many times");
  add_number(app, "--patience", train.patience, defaults.patience,
             "End after this many checks at t = 1 in a row without a better one; 0: never")
      ->check(at_least(0));
}

void add_ramp_flags(CLI::App& app, ConvertRequest& request) {
  auto& ramp = request.ramp;
  begin_group(app, "Ramp",
              "actswap convert net.pt -o relu.pt --train train.pt --epochs 4 --curve cosine "
              "--ramp-end 2");
  add_word(app, "--curve", ramp.curve, parse_curve, "linear",
           "Let t rise by this curve; step: jump at the end")
      ->check(one_of({"linear", "cosine", "cubic", "step"}));
  add_number(app, "--ramp-begin", ramp.begin, 0.0, "Let t leave 0 here")->check(at_least(0));
  app.add_option("--ramp-end", ramp.end, "Let t reach 1 here (default: 0.3 of the epochs)")
      ->check(at_least(0));
  add_number(app, "--hold", ramp.hold, 0.0,
             "Keep t at 1 for this long at least; with --bound half of the training unless given")
      ->check(at_least(0));
  add_word(app, "--ramp-unit", ramp.unit, parse_schedule_unit, "epochs",
           "Give these three in epochs or steps")
      ->check(one_of({"epochs", "steps"}));
  add_word(app, "--order", ramp.order, parse_site_order, "together",
           "Move the sites together, or one after another: forward, backward, sensitivity (that "
           "whose swap costs least first)")
      ->check(one_of({"together", "forward", "backward", "sensitivity"}));
  app.add_option("--bound", ramp.bound,
                 "Let the ramp wait, or go back, while the validation metric is worse than the "
                 "original's by more than this (without labels: the relative error)")
      ->check(at_least(0));
  add_word(app, "--blend-code", request.blend_code, parse_blend_code, "fused",
           "Train fused blends, with one pass over memory if there is a kernel, or stock blends of "
           "LibTorch's operators, as in blended files")
      ->check(one_of({"fused", "stock"}));
}

void add_prune_flags(CLI::App& app, ConvertRequest& request) {
  begin_group(app, "Pruning",
              "actswap convert net.pt -o small.pt --calibrate inputs.pt --prune 0.3");
  auto& prune = request.prune;
  app.add_option("--prune", prune.share,
                 "Remove units until this share of the multiplications that can be pruned is gone, "
                 "above 0 and below 1; then fit the rest to the original");
  app.add_option_function<std::string>(
         "--prune-to", [&prune](const std::string& text) { prune.to = PruneBudget::parse(text); },
         "Remove units down to this share of the latency on --input (0.6x), or this many "
         "parameters (2M, 500k)")
      ->type_name("SIZE");
  app.add_option("--prune-keep", prune.keep,
                 "Keep all units of the layers that this glob matches, by module path")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  app.add_option("--prune-round", prune.round,
                 "Keep a multiple of this many units (default: 8, which runtimes and vector units "
                 "like; 4 in groups of fewer than 32 units; any number in groups of fewer than 16)")
      ->check(at_least(1));
  app.add_flag("--keep-activations", request.keeps_activations, "Swap no activation: prune alone")
      ->excludes("--to", "--source", "--only", "--keep", "--site");
}

void add_gate_flags(CLI::App& app, ConvertRequest& request) {
  begin_group(app, "What is good enough",
              "actswap convert net.pt -o relu.pt --calibrate inputs.pt --min-agreement 0.98");
  app.add_option("--max-drop", request.max_drop,
                 "Write nothing (exit code 5) if the metric falls by more than this")
      ->check(at_least(0));
  app.add_flag("--plan-by-sensitivity", request.plan_by_sensitivity,
               "With --max-drop: keep the sites whose swaps would cost more than that");
  app.add_option("--budget-ms", request.budget_ms,
                 "Swap only as many sites as this latency on --input requires")
      ->check(above(0));
  app.add_option(
         "--min-agreement", request.min_agreement,
         "Keep the old function at as few sites as this agreement with the original allows; "
         "if no swap reaches it, write nothing (exit code 5)")
      ->check(between(0, 1));
  add_word(app, "--agreement", request.agreement, unless_auto(parse_agreement_measure), "auto",
           "Measure that agreement as same-prediction (classes), cosine (embeddings) or error (1 - "
           "relative error of all outputs); auto: by the kind of the outputs")
      ->check(one_of({"auto", "same-prediction", "cosine", "error"}));
  add_number(app, "--sensitivity-examples", request.sensitivity_examples,
             ConvertOptions().sensitivity_examples,
             "For these plans: measure the swap of each site on this many examples of --val (with "
             "--min-agreement 64 unless given)")
      ->check(at_least(1));
}

}  // namespace

void add_convert_flags(CLI::App& app, ConvertFlags& flags) {
  add_data_and_files(app, flags);
  begin_group(app, "Activations",
              "actswap convert net.pt -o mixed.pt --to hard_mish --source mish,silu --keep "
              "'head.*' --site 'stem.*=relu'");
  flags.plan.add(app);
  add_recipe_flags(app, flags.request);
  add_training_flags(app, flags);
  add_ramp_flags(app, flags.request);
  begin_group(app, "Files");
  flags.exporting.add(app);
  add_prune_flags(app, flags.request);
  add_gate_flags(app, flags.request);
}

}  // namespace actswap::tool
