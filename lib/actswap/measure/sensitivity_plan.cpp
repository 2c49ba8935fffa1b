#include <actswap/base/error.h>
#include <actswap/measure/sensitivity_plan.h>

#include <algorithm>
#include <ranges>
#include <set>
#include <sstream>

namespace actswap {

namespace {

// Sums of decimal fractions.
constexpr double kRounding = 1e-9;

template <typename... Parts>
std::string text_of(const Parts&... parts) {
  std::ostringstream text;
  text.precision(4);
  (text << ... << parts);
  return text.str();
}

double gain_of(const SiteSensitivity& site) {
  return site.time ? site.time->milliseconds : 0.0;
}

double loss_of(const SiteSensitivity& site) {
  return std::max(site.loss, 0.0);
}

std::string costs_of(const SiteSensitivity& site, const Sensitivity& sensitivity) {
  auto text = text_of("its swap alone loses ", site.loss, " (", sensitivity.measure, ")");
  if (site.time) {
    text += text_of(" and saves ", site.time->milliseconds, " ms");
  }
  return text;
}

const SiteSensitivity& measured(const Sensitivity& sensitivity, const std::string& id) {
  const auto found = std::ranges::find(sensitivity.sites, id, &SiteSensitivity::id);
  if (found == sensitivity.sites.end()) {
    throw UsageError("Expected a sensitivity of all sites that the plan swaps, but '" + id +
                     "' was not measured");
  }
  return *found;
}

// Places in the sensitivity's sites of those that the plan swaps, the best first.
std::vector<std::size_t> candidates(const Plan& plan, const Sensitivity& sensitivity) {
  std::set<std::string> wanted;
  for (const auto& planned : plan.sites) {
    if (planned.target) {
      wanted.insert(measured(sensitivity, planned.site.id).id);
    }
  }
  auto order = best_first(sensitivity);
  std::erase_if(order, [&](std::size_t i) { return !wanted.contains(sensitivity.sites[i].id); });
  return order;
}

Plan with_only(Plan plan, const Sensitivity& sensitivity, const std::vector<std::size_t>& chosen,
               const std::string& why) {
  std::set<std::string> ids;
  for (const auto i : chosen) {
    ids.insert(sensitivity.sites[i].id);
  }
  for (auto& planned : plan.sites) {
    if (planned.target && !ids.contains(planned.site.id)) {
      planned.target.reset();
      planned.reason =
          "kept: " + costs_of(measured(sensitivity, planned.site.id), sensitivity) + "; " + why;
    }
  }
  return plan;
}

}  // namespace

Prediction predict(const Plan& plan, const Sensitivity& sensitivity) {
  Prediction prediction{.latency_ms = sensitivity.latency_ms};
  for (const auto& planned : plan.sites) {
    if (!planned.target) {
      continue;
    }
    const auto& site = measured(sensitivity, planned.site.id);
    prediction.drop += loss_of(site);
    if (prediction.latency_ms) {
      *prediction.latency_ms -= gain_of(site);
    }
  }
  return prediction;
}

Plan plan_within_drop(const Plan& plan, const Sensitivity& sensitivity, double max_drop) {
  if (!(max_drop >= 0.0)) {
    throw UsageError(text_of("Expected a largest drop of 0 or more, but got ", max_drop));
  }
  std::vector<std::size_t> chosen;
  double drop = 0.0;
  for (const auto i : candidates(plan, sensitivity)) {
    const double loss = loss_of(sensitivity.sites[i]);
    if (drop + loss <= max_drop + kRounding) {
      chosen.push_back(i);
      drop += loss;
    }
  }
  return with_only(plan, sensitivity, chosen,
                   text_of("with the swapped sites the sum would exceed ", max_drop));
}

Plan plan_within_budget(const Plan& plan, const Sensitivity& sensitivity, double budget_ms) {
  if (!(budget_ms > 0.0)) {
    throw UsageError(text_of("Expected a budget of more than 0 ms, but got ", budget_ms));
  }
  if (!sensitivity.latency_ms) {
    throw UsageError("Expected a sensitivity with times, but none were measured");
  }
  double latency = *sensitivity.latency_ms;
  if (latency <= budget_ms) {
    throw UsageError(text_of("The model takes ", latency, " ms, within the budget of ", budget_ms,
                             " ms: nothing needs to be swapped"));
  }
  std::vector<std::size_t> chosen;
  for (const auto i : candidates(plan, sensitivity)) {
    const double gain = gain_of(sensitivity.sites[i]);
    if (latency > budget_ms && gain > 0.0) {
      chosen.push_back(i);
      latency -= gain;
    }
  }
  if (latency > budget_ms) {
    throw UsageError(text_of("Expected a budget that can be met, but got ", budget_ms,
                             " ms: the model takes ", *sensitivity.latency_ms,
                             " ms, and after swapping all ", chosen.size(),
                             " sites that save time it would take about ", latency, " ms"));
  }
  auto by_loss = chosen;
  std::ranges::stable_sort(by_loss, std::greater(),
                           [&](std::size_t i) { return loss_of(sensitivity.sites[i]); });
  for (const auto i : by_loss) {
    const double gain = gain_of(sensitivity.sites[i]);
    if (loss_of(sensitivity.sites[i]) > 0.0 && latency + gain <= budget_ms) {
      std::erase(chosen, i);
      latency += gain;
    }
  }
  return with_only(plan, sensitivity, chosen,
                   text_of("the budget of ", budget_ms, " ms is met without it"));
}

}  // namespace actswap
