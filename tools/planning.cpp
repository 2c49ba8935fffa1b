#include "planning.h"
#include "log/log.h"

#include <actswap/graph/fixed_mode.h>
#include <actswap/graph/thaw.h>
#include <actswap/pipeline/expect_swaps.h>
#include <actswap/report/plan_table.h>
#include <actswap/report/run.h>

#include <cstdio>

namespace actswap::tool {

Model load_model(const std::string& path, bool thaws) {
  auto model = load(path);
  if (thaws) {
    log_info(std::to_string(thaw(model)) + " constant weights are parameters again");
  }
  return model;
}

Plan make_plan(const Model& model, const PlanFlags& flags) {
  auto made = plan(model, flags.resolved());
  expect_swaps(model, made);
  log_debug("'" + model.path + "': " + std::string(to_string(model.kind)) + ", " +
            std::to_string(parameter_count(model.module)) + " parameters");
  for (const auto& planned : made.sites) {
    const auto name = "site " + planned.site.id + ": " + planned.site.activation.to_string();
    if (!planned.site.obstacle.empty()) {
      log_warning(name + " " + planned.reason);
    } else {
      log_debug(name + (planned.target ? " to " + planned.target->to_string() : "") + ", " +
                planned.reason);
    }
  }
  return made;
}

void print_plan(const CommonOptions& common, const Model& model, const Plan& plan,
                const std::map<std::string, SiteCost>& costs,
                const std::optional<Latency>& latency) {
  const auto text = common.json ? inspection_json(model, plan, costs, latency) + "\n"
                                : plan_table(model, plan, costs, latency);
  std::fputs(text.c_str(), stdout);
}

void warn_of_fixed_mode(const Model& model, bool is_trained) {
  if (is_always_training(model.module)) {
    log_warning(
        "this model's batch norm or dropout is always in train mode (traced in train mode): the "
        "export, too, will use the statistics of each batch or drop values");
  } else if (model.fixed_mode && is_trained) {
    log_warning(
        "the mode of this model's batch norm and dropout is fixed in its graph (traced): they stay "
        "as traced during training, usually in eval mode with fixed statistics and no dropout");
  }
}

}  // namespace actswap::tool
