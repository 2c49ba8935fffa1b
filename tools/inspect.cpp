// actswap inspect: the sites of a model and what would become of each.
#include "planning.h"
#include "subcommand.h"

#include <actswap/graph/plan.h>
#include <actswap/measure/input_spec.h>

namespace actswap::tool {

namespace {

struct Options {
  std::string model;
  std::vector<std::string> inputs;
  PlanFlags plan;
};

int run(const CommonOptions& common, const Options& options) {
  const auto model = load(options.model);
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
  options->plan.add(*subcommand);
}

}  // namespace actswap::tool
