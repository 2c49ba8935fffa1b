// actswap inspect: the sites of a model and what would become of each.
#include "planning.h"
#include "subcommand.h"

#include <actswap/base/error.h>
#include <actswap/export/find_probe.h>
#include <actswap/graph/plan.h>
#include <actswap/measure/input_spec.h>
#include <actswap/report/pruning.h>

#include <cstdio>

namespace actswap::tool {

namespace {

struct Options {
  std::string model;
  std::vector<std::string> inputs;
  PlanFlags plan;
  bool shows_units = false;
};

// By a run on the inputs that are given, or on those that the model seems to take.
int print_units(const CommonOptions& common, const Options& options, const Model& model) {
  auto inputs = make_inputs(options.inputs, model.module);
  if (inputs.empty()) {
    inputs = find_probe(model.module, model).probe.inputs;
  }
  if (inputs.empty()) {
    throw UsageError(
        "Expected an input to find out what can be pruned, but none that was guessed fits the "
        "model; give one (--input)");
  }
  const auto units = find_units(model.module, inputs);
  const auto text = common.json ? units_json(model, units) + "\n" : units_table(units);
  std::fputs(text.c_str(), stdout);
  return 0;
}

int run(const CommonOptions& common, const Options& options) {
  const auto model = load(options.model);
  if (options.shows_units) {
    return print_units(common, options, model);
  }
  const auto the_plan = plan(model, options.plan.resolved());
  if (options.inputs.empty()) {
    print_plan(common, model, the_plan);
    return 0;
  }
  const auto inputs = make_inputs(options.inputs, model.module);
  print_plan(common, model, the_plan, measure_sites(model, inputs),
             measure_latency({model.module}, inputs, RuntimeSetting::plain).front());
  return 0;
}

}  // namespace

void register_inspect(CLI::App& app, CommonOptions& common, Action& action) {
  const auto options = std::make_shared<Options>();
  auto* subcommand = add_subcommand(app, common, action, "inspect",
                                    "List the sites of a model and what would become of each",
                                    [&common, options] { return run(common, *options); });
  subcommand->add_option("model", options->model, "TorchScript file")->required();
  subcommand
      ->add_option(
          "--input", options->inputs,
          "Run on this input, like 8x3x224x224, and say what each site costs; once for each "
          "argument")
      ->allow_extra_args(false);
  options->plan.add(*subcommand);
  subcommand
      ->add_flag("--prune", options->shows_units,
                 "List the units that convert --prune can remove, layer by layer, and why the rest "
                 "stays")
      ->excludes("--to", "--source", "--only", "--keep", "--site");
}

}  // namespace actswap::tool
