// The sites of a model by the function that they apply.
#pragma once

#include <actswap/base/export.h>
#include <actswap/graph/plan.h>
#include <actswap/measure/site_cost.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace actswap {

struct FunctionTotal {
  std::string function;  ///< "silu", as ActivationSpec::to_string gives it
  std::size_t sites = 0;
  std::size_t swapped = 0;                          ///< how many of these the plan swaps
  std::map<std::string, std::size_t> targets = {};  ///< how many become each target
  std::int64_t calls = 0;     ///< in one forward; of the sites that were timed
  double milliseconds = 0.0;  ///< of all these calls
  double share = 0.0;         ///< of the forward's time
};

/// The most expensive function first; without costs that with the most sites.
/// @param costs by site id, of those that were measured
ACTSWAP_API std::vector<FunctionTotal> function_totals(
    const Plan& plan, const std::map<std::string, SiteCost>& costs = {});

}  // namespace actswap
