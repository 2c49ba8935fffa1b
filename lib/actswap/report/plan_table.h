// A plan for people: what would become of each site.
#pragma once

#include <actswap/base/export.h>
#include <actswap/graph/plan.h>
#include <actswap/measure/latency.h>
#include <actswap/measure/site_cost.h>

#include <map>
#include <optional>
#include <string>

namespace actswap {

/// What `inspect` prints: a line on the model, one for each function, one for each site.
/// @param model that the plan is of
/// @param plan its sites are listed in order
/// @param costs by site id, of those that were measured
/// @param latency of a forward, where it was measured
ACTSWAP_API std::string plan_table(const Model& model, const Plan& plan,
                                   const std::map<std::string, SiteCost>& costs = {},
                                   const std::optional<Latency>& latency = {});

}  // namespace actswap
