#include <actswap/base/counted.h>
#include <actswap/graph/fixed_mode.h>
#include <actswap/graph/sites.h>
#include <actswap/report/formatted.h>
#include <actswap/report/function_totals.h>
#include <actswap/report/latency.h>
#include <actswap/report/plan_table.h>

#include <cstdio>

namespace actswap {

namespace {

using SiteCosts = std::map<std::string, SiteCost>;

// The cell of a table, as wide as given at least.
std::string cell(const std::string& text, std::size_t width) {
  return text + std::string(text.size() < width ? width - text.size() : 0, ' ') + ' ';
}

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
  char numbers[48];
  std::snprintf(numbers, sizeof numbers, "%9.3f %6.1f %%", cost.milliseconds, 100.0 * cost.share);
  return cell(shape, 18) + numbers;
}

std::string head(const Model& model, const Plan& plan, const std::optional<Latency>& latency) {
  std::string text = model.path + ": " + std::string(to_string(model.kind)) + " model, " +
                     counted(parameter_count(model.module), "parameter") + ", " +
                     counted(plan.sites.size(), "site") + ", " + std::to_string(plan.swapped()) +
                     " would be swapped\n";
  if (is_always_training(model.module)) {
    text +=
        "batch norm or dropout is always in train mode (traced in train mode), even in eval "
        "mode\n";
  } else if (model.fixed_mode) {
    text +=
        "batch norm or dropout is fixed in the graph (traced): training does not change its mode\n";
  }
  if (latency) {
    text += "a forward takes " + latency_text(*latency) + "\n";
    text += latency->doubt.empty() ? "" : "these times cannot be trusted: " + latency->doubt + "\n";
  }
  return text;
}

// "relu", or "relu (2), hard_mish" where there are several.
std::string targets_text(const FunctionTotal& total) {
  std::string text;
  for (const auto& [target, count] : total.targets) {
    text += (text.empty() ? "" : ", ") + target;
    text += total.targets.size() > 1 ? " (" + std::to_string(count) + ")" : "";
  }
  return text.empty() ? "-" : text;
}

std::string total_row(const FunctionTotal& total, bool is_timed) {
  const auto row = cell(total.function, 24) + formatted("%5zu %8zu", total.sites, total.swapped);
  return row +
         (is_timed ? formatted(" %9.3f %6.1f %%", total.milliseconds, 100.0 * total.share) : "") +
         "  " + targets_text(total) + "\n";
}

// Functions first, so that two hundred sites need not be counted.
std::string totals_table(const Plan& plan, const SiteCosts& costs) {
  const bool is_timed = !costs.empty();
  const auto totals = function_totals(plan, costs);
  auto text = cell("function", 24) + "sites  swapped" + (is_timed ? "        ms    share" : "") +
              "  becomes\n";
  FunctionTotal all{.function = "all"};
  for (const auto& total : totals) {
    text += total_row(total, is_timed);
    all.sites += total.sites;
    all.swapped += total.swapped;
    all.milliseconds += total.milliseconds;
    all.share += total.share;
    for (const auto& [target, count] : total.targets) {
      all.targets[target] += count;
    }
  }
  return text + (totals.size() > 1 ? total_row(all, is_timed) : "") + "\n";
}

}  // namespace

std::string plan_table(const Model& model, const Plan& plan, const SiteCosts& costs,
                       const std::optional<Latency>& latency) {
  auto text = head(model, plan, latency);
  if (plan.sites.empty()) {
    return text + why_no_sites(model) + "\n";
  }
  text += "\n" + totals_table(plan, costs);
  text += cell("site", 40) + cell("activation", 16) + cell("form", 9) + cell("becomes", 14) +
          (costs.empty() ? "" : cell("shape", 18) + "       ms    share  ") + "why\n";
  for (const auto& planned : plan.sites) {
    const auto& site = planned.site;
    text += cell(site.id, 40) + cell(site.activation.to_string(), 16) +
            cell(std::string(to_string(site.form)) + (site.in_place ? "_" : ""), 9) +
            cell(planned.target ? planned.target->to_string() : "-", 14) +
            (costs.empty() ? "" : cell(cost_text(costs, site.id), 36) + ' ') + planned.reason +
            "\n";
  }
  return text;
}

}  // namespace actswap
