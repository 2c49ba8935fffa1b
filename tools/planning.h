// Makes a plan that swaps something from the options of the command line.
#pragma once

#include "subcommand.h"

#include <actswap/graph/plan.h>
#include <actswap/measure/latency.h>
#include <actswap/measure/site_cost.h>

#include <map>
#include <optional>

namespace actswap::tool {

/// Reads the model, and where asked makes its constant weights parameters again.
Model load_model(const std::string& path, bool thaws);

/// Logs what becomes of each site, and warns of those that cannot be replaced.
/// @throws UsageError where nothing would be swapped, with the reason for each site
Plan make_plan(const Model& model, const PlanFlags& flags);

/// Prints what would become of each site, as JSON or as a table.
void print_plan(const CommonOptions& common, const Model& model, const Plan& plan,
                const std::map<std::string, SiteCost>& costs = {},
                const std::optional<Latency>& latency = {});

/// Warns if batch norm or dropout is always in train mode and, for a model to be trained, if
/// training cannot change their mode.
void warn_of_fixed_mode(const Model& model, bool is_trained);

}  // namespace actswap::tool
