#include "plan_table.h"

#include <actswap/graph/fixed_mode.h>
#include <actswap/report/run.h>

#include <cstdio>

namespace actswap::tool {

namespace {

std::string cost_text(const SiteCosts& costs, const std::string& id) {
  const auto found = costs.find(id);
  if (found == costs.end()) {
    return "not reached";
  }
  const auto& cost = found->second;
  std::string shape;
  for (const auto size : cost.shape) {
    shape += (shape.empty() ? "" : "x") + std::to_string(size);
  }
  char text[96];
  std::snprintf(text, sizeof text, "%-18s %9.3f %6.1f %%", shape.c_str(), cost.milliseconds,
                100.0 * cost.share);
  return text;
}

void print_table(const Model& model, const Plan& plan, const SiteCosts& costs) {
  std::printf("%s: %s model, %lld parameters, %zu sites, %zu would be swapped\n",
              model.path.c_str(), std::string(to_string(model.kind)).c_str(),
              static_cast<long long>(parameter_count(model.module)), plan.sites.size(),
              plan.swapped());
  if (is_always_training(model.module)) {
    std::printf(
        "batch norm or dropout is in train mode for good (traced in train mode): in eval mode "
        "too\n");
  } else if (model.fixed_mode) {
    std::printf(
        "batch norm or dropout is fixed in the graph (traced): training does not change "
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
  const bool with_costs = !costs.empty();
  std::printf("%-40s %-16s %-9s %-14s ", "site", "activation", "form", "becomes");
  if (with_costs) {
    std::printf("%-18s %9s %8s  ", "shape", "ms", "share");
  }
  std::printf("why\n");
  for (const auto& planned : plan.sites) {
    const auto& site = planned.site;
    std::printf("%-40s %-16s %-9s %-14s ", site.id.c_str(), site.activation.to_string().c_str(),
                (std::string(to_string(site.form)) + (site.in_place ? "_" : "")).c_str(),
                planned.target ? planned.target->to_string().c_str() : "-");
    if (with_costs) {
      std::printf("%-36s  ", cost_text(costs, site.id).c_str());
    }
    std::printf("%s\n", planned.reason.c_str());
  }
}

}  // namespace

void print_plan(const CommonOptions& common, const Model& model, const Plan& plan,
                const SiteCosts& costs) {
  if (common.json) {
    std::printf("%s\n", inspection_json(model, plan, costs).c_str());
  } else {
    print_table(model, plan, costs);
  }
}

}  // namespace actswap::tool
