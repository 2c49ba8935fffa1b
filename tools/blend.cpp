// actswap blend: a blended file for a training loop that does not know this library.
#include "export_flags.h"
#include "log/log.h"
#include "planning.h"
#include "subcommand.h"

#include <actswap/base/json_text.h>
#include <actswap/measure/input_spec.h>
#include <actswap/pipeline/write_blended.h>

#include <nlohmann/json.hpp>

#include <cstdio>

namespace actswap::tool {

namespace {

struct Options {
  std::string model;
  std::string calibrate;
  DataOptions data;
  PlanFlags plan;
  std::vector<std::string> inputs;
  bool thaws = false;
  bool is_dry = false;
  ExportFlags exporting;
  BlendRequest request;
};

void report(const BlendedFile& file) {
  if (file.calibration) {
    log_info("calibrated: " + summary(*file.calibration));
    for (const auto& reason : file.calibration->left_out) {
      log_info("not calibrated: " + reason);
    }
  }
  report_export(file.verification);
  if (file.has_own_set_blend) {
    log_warning(
        "the model has a set_blend of its own, so the file has no method that moves all blends; "
        "call set_blend of each blend");
  }
}

int run(const CommonOptions& common, Options& options) {
  const auto model = load_model(options.model, options.thaws);
  const auto the_plan = make_plan(model, options.plan);
  if (options.is_dry) {
    print_plan(common, model, the_plan);
    return 0;
  }
  warn_of_fixed_mode(model, /*is_trained=*/true);
  options.exporting.check(options.request.output, {options.model, options.calibrate});
  options.exporting.check(options.request.output, options.inputs);
  auto& request = options.request;
  request.exporting.probe_inputs = make_inputs(options.inputs, model.module);
  request.exporting.self_test = parse_self_test(options.exporting.self_test);
  request.exporting.overwrites_original = options.exporting.force;
  if (!options.calibrate.empty()) {
    request.calibration_data = read_data("--calibrate", options.calibrate, model, options.data);
    warn_of_normalisation("--calibrate", model, *request.calibration_data);
    catch_signals();
  }
  const auto file =
      write_blended(model, the_plan, request, {.should_stop = [] { return stop_signal() != 0; }});
  report(file);
  if (common.json) {
    const nlohmann::ordered_json json = {{"schema", 1},
                                         {"output", request.output},
                                         {"sites_swapped", the_plan.swapped()},
                                         {"t", file.t},
                                         {"verified", file.verification.verified},
                                         {"max_abs_diff", file.verification.max_abs_diff},
                                         {"reason", file.verification.reason},
                                         {"random", file.verification.is_random},
                                         {"self_test", to_string(file.verification.self_test)}};
    std::printf("%s\n", json_text(json).c_str());
  } else {
    std::printf("%zu of %zu sites blended at t = %g, written to %s; self-test: %s\n",
                the_plan.swapped(), the_plan.sites.size(), file.t, request.output.c_str(),
                self_test_text(file.verification).c_str());
  }
  return 0;
}

}  // namespace

void register_blend(CLI::App& app, CommonOptions& common, Action& action) {
  const auto options = std::make_shared<Options>();
  auto* subcommand = add_subcommand(
      app, common, action, "blend",
      "Write a blended file for your own training loop: model.set_blend(t), then collapse",
      [&common, options] { return run(common, *options); },
      {{{"--calibrate-inputs", "--calibrate-batch", "--calibrate-memory", "--calibrate-passes",
         "--calibrate-minutes", "--calibrate-draw", "--seed"},
        {"--calibrate"}},
       data_flags_need({"--calibrate"})});
  subcommand->add_option("model", options->model, "TorchScript file")
      ->type_name("FILE")
      ->required();
  begin_group(*subcommand, "Options", "actswap blend net.pt -o blended.pt --to relu");
  subcommand->add_option("-o,--output", options->request.output, "File to write")
      ->type_name("FILE")
      ->required();
  options->plan.add(*subcommand);
  subcommand->add_flag("--thaw", options->thaws,
                       "Make the constant weights of a frozen model parameters, to train them");
  subcommand->add_flag("--dry-run", options->is_dry,
                       "Show what would become of each site, and write nothing");
  subcommand
      ->add_option("--input", options->inputs,
                   "Verify on this input, like 8x3x224x224; once for each argument")
      ->type_name("SPEC")
      ->allow_extra_args(false);
  options->exporting.add(*subcommand);
  subcommand
      ->add_option(
          "--calibrate", options->calibrate,
          "Fit the model to the swap on these inputs (no labels): its blends are then at t = 1, "
          "where it was fitted; leave them there")
      ->type_name("DATA");
  add_calibration_flags(*subcommand, options->request.calibration);
  subcommand->add_option("--seed", options->request.seed,
                         "Choose the inputs to calibrate on by this seed");
  add_data_flags(*subcommand, options->data);
}

}  // namespace actswap::tool
