#include <actswap/base/error.h>
#include <actswap/graph/sites.h>
#include <actswap/pipeline/expect_swaps.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace actswap {

namespace {

constexpr std::size_t kNamedSites = 3;  // with one reason

// The reasons in the order of their first sites: "a, b, c and 25 more: reason".
std::string reasons_of(const Plan& plan) {
  std::vector<std::pair<std::string, std::vector<std::string>>> groups;
  for (const auto& planned : plan.sites) {
    auto group = std::ranges::find(groups, planned.reason, [](const auto& g) { return g.first; });
    if (group == groups.end()) {
      group = groups.insert(groups.end(), {planned.reason, {}});
    }
    group->second.push_back(planned.site.id);
  }
  std::string lines;
  for (const auto& [reason, ids] : groups) {
    const auto named = std::min(ids.size(), kNamedSites);
    for (std::size_t i = 0; i < named; ++i) {
      lines += (i == 0 ? "\n  " : ", ") + ids[i];
    }
    lines += ids.size() > named ? " and " + std::to_string(ids.size() - named) + " more" : "";
    lines += ": " + reason;
  }
  return lines;
}

}  // namespace

void expect_swaps(const Model& model, const Plan& plan) {
  if (plan.swapped() > 0) {
    return;
  }
  throw UsageError("There is nothing to swap in '" + model.path + "'" +
                   (plan.sites.empty() ? ": " + why_no_sites(model) : reasons_of(plan)));
}

}  // namespace actswap
