#include <actswap/report/function_totals.h>

#include <algorithm>
#include <tuple>

namespace actswap {

std::vector<FunctionTotal> function_totals(const Plan& plan,
                                           const std::map<std::string, SiteCost>& costs) {
  std::vector<FunctionTotal> totals;
  for (const auto& planned : plan.sites) {
    const auto function = planned.site.activation.to_string();
    auto total = std::ranges::find(totals, function, &FunctionTotal::function);
    if (total == totals.end()) {
      totals.push_back({.function = function});
      total = totals.end() - 1;
    }
    ++total->sites;
    if (planned.target) {
      ++total->swapped;
      ++total->targets[planned.target->to_string()];
    }
    if (const auto cost = costs.find(planned.site.id); cost != costs.end()) {
      total->calls += cost->second.calls;
      total->milliseconds += cost->second.milliseconds;
      total->share += cost->second.share;
    }
  }
  std::ranges::stable_sort(totals, [](const FunctionTotal& a, const FunctionTotal& b) {
    return std::tie(a.milliseconds, a.sites) > std::tie(b.milliseconds, b.sites);
  });
  return totals;
}

}  // namespace actswap
