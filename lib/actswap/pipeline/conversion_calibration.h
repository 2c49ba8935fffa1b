// The part of a conversion that calibrates.
#pragma once

#include <actswap/pipeline/conversion_state.h>

namespace actswap {

/// Calibrates state.swap and notes in state.run what that gave. Of a run that is resumed behind it,
/// takes up what it gave.
void calibrate_retargeted(ConversionState& state);

}  // namespace actswap
