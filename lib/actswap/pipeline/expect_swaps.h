// Whether a plan swaps anything.
#pragma once

#include <actswap/base/export.h>
#include <actswap/graph/plan.h>

namespace actswap {

/// @throws UsageError where it does not, with the reason for each site, or without any site the
///   elementwise operators that the model has instead
ACTSWAP_API void expect_swaps(const Model& model, const Plan& plan);

}  // namespace actswap
