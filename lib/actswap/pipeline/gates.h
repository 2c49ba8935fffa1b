// What a conversion has to reach for its model to be written.
#pragma once

#include <actswap/pipeline/conversion_state.h>

namespace actswap {

/// Before the training: where the original's outputs are no numbers, neither is any drop.
/// @throws Error of kind accuracy
void expect_gate_can_pass(const ConversionState& state);

/// max_drop and min_agreement. @throws Error of kind accuracy where one is not met
void expect_gate_passed(const ConversionState& state);

}  // namespace actswap
