// actswap inspect: the sites of a model and what would become of each.
#include "subcommand.h"

#include <actswap/graph/plan.h>
#include <actswap/report/run.h>

#include <cstdio>

namespace actswap::tool {

namespace {

struct Options {
  std::string model;
  PlanFlags plan;
};

void print_table(const Model& model, const Plan& plan) {
  std::printf("%s: %s model, %lld parameters, %zu sites, %zu would be swapped\n",
              model.path.c_str(), std::string(to_string(model.kind)).c_str(),
              static_cast<long long>(parameter_count(model.module)), plan.sites.size(),
              plan.swapped());
  if (model.fixed_eval_mode) {
    std::printf("batch norm or dropout is fixed in the graph (traced): training does not change "
                "its mode\n");
  }
  if (plan.sites.empty()) {
    std::string operators;
    for (const auto& name : elementwise_operators(model)) {
      operators += " " + name;
    }
    std::printf("no known activation; its elementwise operators:%s\n",
                operators.empty() ? " none" : operators.c_str());
    return;
  }
  std::printf("%-40s %-16s %-9s %-14s %s\n", "site", "activation", "form", "becomes", "why");
  for (const auto& planned : plan.sites) {
    const auto& site = planned.site;
    std::printf("%-40s %-16s %-9s %-14s %s\n", site.id.c_str(),
                site.activation.to_string().c_str(),
                (std::string(to_string(site.form)) + (site.in_place ? "_" : "")).c_str(),
                planned.target ? planned.target->to_string().c_str() : "-",
                planned.reason.c_str());
  }
}

int run(const CommonOptions& common, const Options& options) {
  const auto model = load(options.model);
  const auto the_plan = plan(model, options.plan.resolved());
  if (common.json) {
    std::printf("%s\n", inspection_json(model, the_plan).c_str());
  } else {
    print_table(model, the_plan);
  }
  return 0;
}

}  // namespace

void register_inspect(CLI::App& app, CommonOptions& common, Action& action) {
  const auto options = std::make_shared<Options>();
  auto* subcommand = add_subcommand(app, common, action, "inspect",
                                    "List the sites of a model and what would become of each",
                                    [&common, options] { return run(common, *options); });
  subcommand->add_option("model", options->model, "TorchScript file")->required();
  options->plan.add(*subcommand);
}

}  // namespace actswap::tool
