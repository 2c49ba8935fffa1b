// actswap sensitivity: what each site's swap costs in accuracy and saves in time.
#include "planning.h"
#include "progress.h"
#include "subcommand.h"

#include <actswap/measure/fixed_batch.h>
#include <actswap/measure/input_spec.h>
#include <actswap/pipeline/sensitivity_request.h>
#include <actswap/report/sensitivity.h>

#include <cstdio>

namespace actswap::tool {

namespace {

struct Options {
  std::string model;
  std::string validation;
  std::string calibrate;
  std::vector<std::string> inputs;
  std::int64_t batch_size = JudgeOptions().batch_size;
  DataOptions data;
  PlanFlags plan;
  CalibrationRequest calibration;
  SensitivityRequest request;
};

int run(const CommonOptions& common, Options& options) {
  const auto model = load(options.model);
  const auto the_plan = make_plan(model, options.plan);
  auto& request = options.request;
  request.validation_data = read_data("--val", options.validation, model, options.data);
  warn_of_normalisation("--val", model, *request.validation_data);
  if (!options.calibrate.empty()) {
    request.calibration_data = read_data("--calibrate", options.calibrate, model, options.data);
    warn_of_normalisation("--calibrate", model, *request.calibration_data);
    request.calibration = options.calibration.resolved(/*is_trained=*/false);
  }
  for (auto* data : {&request.validation_data, &request.calibration_data}) {
    *data = in_batches_of(model, *data);
  }
  request.timing_inputs = make_inputs(options.inputs, model.module);
  auto measuring = request.resolved();
  measuring.judging.batch_size = options.batch_size;
  measuring.judging.together = measuring.calibration.together = Together(common.ranks);

  catch_signals();
  ProgressDisplay display(common.quiet || !common.prints());
  measuring.judging.should_stop = [] { return stop_signal() != 0; };
  measuring.judging.on_run = [&](std::int64_t run, std::int64_t runs) {
    display.count("sensitivity", run, runs);
  };
  display.message("swapping " + std::to_string(the_plan.swapped()) + " sites, one at a time, on " +
                  std::to_string(request.validation_data->size()) + " examples");
  const auto result = measure_sensitivity(model, the_plan, *request.validation_data, measuring);
  display.end();
  if (!common.prints()) {
    return 0;
  }
  std::printf("%s", common.json ? (sensitivity_json(model, result) + "\n").c_str()
                                : sensitivity_table(model, result).c_str());
  return 0;
}

}  // namespace

void register_sensitivity(CLI::App& app, CommonOptions& common, Action& action) {
  const auto options = std::make_shared<Options>();
  auto* subcommand = add_subcommand(
      app, common, action, "sensitivity",
      "Say what the swap of each site alone costs in accuracy and saves in time",
      [&common, options] { return run(common, *options); },
      {{{"--calibrate-inputs", "--calibrate-batch", "--calibrate-memory", "--seed"},
        {"--calibrate"}}},
      Processes::several);
  subcommand->add_option("model", options->model, "TorchScript file")
      ->type_name("FILE")
      ->required();
  begin_group(*subcommand, "Options",
              "actswap sensitivity net.pt --val val.pt --calibrate inputs.pt");
  subcommand
      ->add_option("--val", options->validation,
                   "Measure on these data; without a target, against the original's outputs")
      ->type_name("DATA")
      ->required();
  options->plan.add(*subcommand);
  subcommand
      ->add_option("--calibrate", options->calibrate,
                   "Calibrate each swap on these inputs before it is measured")
      ->type_name("DATA");
  add_calibration_size_flags(*subcommand, options->calibration);
  subcommand->add_option("--seed", options->request.seed,
                         "Choose the inputs to calibrate on by this seed");
  subcommand->add_option("--batch", options->batch_size, "Measure on this many examples at a time")
      ->check(at_least(1));
  subcommand
      ->add_option("--input", options->inputs,
                   "Time the model on this input, like 8x3x224x224 (default: the first eight "
                   "examples of --val)")
      ->type_name("SPEC")
      ->allow_extra_args(false);
  add_data_flags(*subcommand, options->data);
}

}  // namespace actswap::tool
