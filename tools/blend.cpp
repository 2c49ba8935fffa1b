// actswap blend: a blended file for a training loop that does not know this library.
#include "export_flags.h"
#include "log/log.h"
#include "plan_table.h"
#include "planning.h"
#include "subcommand.h"

#include <actswap/calibrate/calibrate.h>
#include <actswap/data/load.h>
#include <actswap/export/export_model.h>
#include <actswap/measure/input_spec.h>

#include <nlohmann/json.hpp>

#include <cstdio>

namespace actswap::tool {

namespace {

struct Options {
  std::string model;
  std::string output;
  PlanFlags plan;
  bool thaws = false;
  bool is_dry = false;
  ExportFlags exporting;
  std::vector<std::string> inputs;
  std::string calibrate;
  CalibrationFlags calibration;
  std::uint64_t seed = 0;
  DataOptions data;
};

void calibrate_on_data(Retargeter& swap, const Options& options) {
  const auto data = load_data(options.calibrate, argument_names(swap.module()), options.data);
  const auto result = calibrate(swap, *data, options.calibration.resolved(/*is_trained=*/false),
                                options.seed, {.should_stop = [] { return stop_signal() != 0; }});
  log_info("calibrated: " + summary(result));
  for (const auto& reason : result.left_out) {
    log_info("not calibrated: " + reason);
  }
}

int run(const CommonOptions& common, const Options& options) {
  const auto model = load_model(options.model, options.thaws);
  const auto the_plan = make_plan(model, options.plan);
  if (options.is_dry) {
    print_plan(common, model, the_plan);
    return 0;
  }
  warn_of_fixed_mode(model, /*is_trained=*/true);
  options.exporting.check(options.output, {options.model, options.calibrate});
  options.exporting.check(options.output, options.inputs);
  const bool calibrates = !options.calibrate.empty();
  Retargeter swap(model, the_plan, calibrates ? Tensors::copied : Tensors::shared,
                  BlendCode::stock);
  ExportOptions exporting;
  exporting.probe_inputs = make_inputs(options.inputs);
  exporting.self_test = parse_self_test(options.exporting.self_test);
  exporting.overwrites_original = options.exporting.force;
  const double t = calibrates ? 1.0 : 0.0;
  if (calibrates) {
    catch_signals();
    calibrate_on_data(swap, options);
  }
  const auto result = save_blended(swap, options.output, exporting, t);
  report_export(result);
  if (model.module.find_method("set_blend")) {
    log_warning(
        "the model has a method set_blend of its own, which moves no blend; move each one by its "
        "own set_blend");
  }
  if (common.json) {
    const nlohmann::ordered_json json = {{"schema", 1},
                                         {"output", options.output},
                                         {"sites_swapped", the_plan.swapped()},
                                         {"t", t},
                                         {"verified", result.verified},
                                         {"max_abs_diff", result.max_abs_diff},
                                         {"reason", result.reason},
                                         {"random", result.is_random},
                                         {"self_test", to_string(result.self_test)}};
    std::printf("%s\n", json.dump(2).c_str());
  } else {
    std::printf("%zu of %zu sites blended at t = %g, written to %s; self-test: %s\n",
                the_plan.swapped(), the_plan.sites.size(), t, options.output.c_str(),
                self_test_text(result).c_str());
  }
  return 0;
}

}  // namespace

void register_blend(CLI::App& app, CommonOptions& common, Action& action) {
  const auto options = std::make_shared<Options>();
  auto* subcommand = add_subcommand(
      app, common, action, "blend",
      "Write a blended file for your own training loop: model.set_blend(t), then collapse",
      [&common, options] { return run(common, *options); });
  subcommand->add_option("model", options->model, "TorchScript file")->required();
  subcommand->add_option("-o,--output", options->output, "File to write")->required();
  options->plan.add(*subcommand);
  subcommand->add_flag("--thaw", options->thaws,
                       "Make the constant weights of a frozen model parameters, to train them");
  subcommand->add_flag("--dry-run", options->is_dry,
                       "Show what would become of each site, and write nothing");
  subcommand->add_option("--input", options->inputs, "Probe input, like 8x3x224x224")
      ->allow_extra_args(false);
  options->exporting.add(*subcommand);
  subcommand->add_option(
      "--calibrate", options->calibrate,
      "Fit the model to the swap on these inputs (no labels): its blends are then at t = 1, "
      "where it was fitted; leave them there");
  options->calibration.add(*subcommand);
  subcommand->add_option("--seed", options->seed, "Of the choice of inputs to calibrate on");
  add_data_flags(*subcommand, options->data);
}

}  // namespace actswap::tool
