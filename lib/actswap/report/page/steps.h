// The steps of a conversion, with what was measured after each.
#pragma once

#include <actswap/report/page/fields.h>

#include <optional>
#include <string>
#include <vector>

namespace actswap::page {

struct MeasuredStep {
  std::string name = {};   ///< "original", "swap_alone", ...: as the record has it
  std::string title = {};  ///< for people
  std::string about = {};
  double value = 0.0;  ///< of the metric
  std::optional<double> mean_loss = {};
};

/// Those after which the metric was measured, in their order.
std::vector<MeasuredStep> measured_steps(const Json& record);

}  // namespace actswap::page
