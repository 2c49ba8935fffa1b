// What would become of each site, for people or as JSON.
#pragma once

#include "subcommand.h"

#include <actswap/graph/plan.h>
#include <actswap/measure/site_cost.h>

#include <map>
#include <string>

namespace actswap::tool {

using SiteCosts = std::map<std::string, SiteCost>;  ///< by site id

void print_plan(const CommonOptions& common, const Model& model, const Plan& plan,
                const SiteCosts& costs = {});

}  // namespace actswap::tool
