// The goals that a conversion must reach to write its model.
#pragma once

#include <actswap/pipeline/conversion_state.h>

namespace actswap {

/// Called before the training: if the original's outputs are not numbers, no drop is one either.
/// @throws Error of kind accuracy
void expect_gate_can_pass(const ConversionState& state);

/// max_drop and min_agreement. @throws Error of kind accuracy where one is not met
void expect_gate_passed(const ConversionState& state);

}  // namespace actswap
