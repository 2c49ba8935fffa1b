#include <actswap/base/error.h>
#include <actswap/graph/sites.h>
#include <actswap/pipeline/expect_swaps.h>

namespace actswap {

void expect_swaps(const Model& model, const Plan& plan) {
  if (plan.swapped() > 0) {
    return;
  }
  std::string message = "There is nothing to swap in '" + model.path + "'";
  if (plan.sites.empty()) {
    const auto operators = elementwise_operators(model);
    message += ": no known activation; its elementwise operators are";
    for (const auto& name : operators) {
      message += " " + name;
    }
    message += operators.empty() ? " none" : "";
  }
  for (const auto& planned : plan.sites) {
    message += "\n  " + planned.site.id + ": " + planned.reason;
  }
  throw UsageError(message);
}

}  // namespace actswap
