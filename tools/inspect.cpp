// actswap inspect: the sites of a model and what would become of each.
#include "planning.h"
#include "subcommand.h"

#include <actswap/base/error.h>
#include <actswap/export/find_probe.h>
#include <actswap/graph/plan.h>
#include <actswap/measure/input_spec.h>
#include <actswap/measure/payoff.h>
#include <actswap/pipeline/expect_swaps.h>
#include <actswap/prune/prune.h>
#include <actswap/report/payoff.h>
#include <actswap/report/pruning.h>

#include <cstdio>

namespace actswap::tool {

namespace {

struct Options {
  std::string model;
  std::vector<std::string> inputs;
  PlanFlags plan;
  bool shows_units = false;
  bool pays = false;
  LatencyOptions latency;
};

void print_payoff(const CommonOptions& common, const Model& model, const Plan& plan,
                  const std::vector<torch::Tensor>& inputs, const LatencyOptions& latency) {
  expect_swaps(model, plan);
  const auto payoffs = measure_payoff(model, plan, inputs, latency);
  const auto text =
      common.json ? payoff_json(model, plan, payoffs) + "\n" : payoff_table(plan, payoffs);
  std::fputs(text.c_str(), stdout);
}

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
  const auto units = prunable_units(model, inputs);
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
  if (options.pays) {
    print_payoff(common, model, the_plan, inputs, options.latency);
    return 0;
  }
  print_plan(common, model, the_plan, measure_sites(model, inputs),
             measure_latency({model.module}, inputs, RuntimeSetting::plain).front());
  return 0;
}

}  // namespace

void register_inspect(CLI::App& app, CommonOptions& common, Action& action) {
  const auto options = std::make_shared<Options>();
  auto* subcommand = add_subcommand(app, common, action, "inspect",
                                    "List the sites of a model and what would become of each",
                                    [&common, options] { return run(common, *options); },
                                    {{{"--pays"}, {"--input"}}, {{"--rounds"}, {"--pays"}}});
  subcommand->add_option("model", options->model, "TorchScript file")
      ->type_name("FILE")
      ->required();
  begin_group(*subcommand, "Options", "actswap inspect net.pt --input 8x3x224x224");
  subcommand
      ->add_option(
          "--input", options->inputs,
          "Run on this input, like 8x3x224x224, and say what each site costs; once for each "
          "argument")
      ->type_name("SPEC")
      ->allow_extra_args(false);
  subcommand->add_flag("--pays", options->pays,
                       "Say whether the swap saves time: swap without training, and time both on "
                       "--input, as they are, frozen and optimized");
  subcommand
      ->add_option("--rounds", options->latency.rounds, "For --pays: time each this many times")
      ->type_name("N");
  options->plan.add(*subcommand);
  subcommand
      ->add_flag("--prune", options->shows_units,
                 "List the units that convert --prune can remove, layer by layer, and why the rest "
                 "stays")
      ->excludes("--to", "--source", "--only", "--keep", "--site");
}

}  // namespace actswap::tool
