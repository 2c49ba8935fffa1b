// The order in which sites move if they move one after another.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>
#include <actswap/graph/plan.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace actswap {

enum class SiteOrder {
  together,     ///< all at once
  forward,      ///< in the order in which the model runs them
  backward,     ///< the other way round
  sensitivity,  ///< those first whose swap alone costs least (measure_sensitivity)
};

/// "together", "forward", "backward", "sensitivity". @throws UsageError
ACTSWAP_API SiteOrder parse_site_order(std::string_view name);
ACTSWAP_API std::string to_string(SiteOrder order);

/// Ids of the sites that the plan swaps, in this order.
/// @param order together: that of the plan
/// @param model is not changed
/// @param plan the sites that it swaps are ordered
/// @param inputs of a forward, for forward and backward; sites that it does not reach come last
///   going forward
/// @param data to measure on, for sensitivity
/// @param should_stop asked while the sensitivity is measured; true ends with Interrupted
/// @throws UsageError if the order needs inputs or data that are missing; Interrupted
ACTSWAP_API std::vector<std::string> order_sites(SiteOrder order, const Model& model,
                                                 const Plan& plan,
                                                 const std::vector<torch::Tensor>& inputs,
                                                 const Dataset* data,
                                                 const std::function<bool()>& should_stop = {});

}  // namespace actswap
