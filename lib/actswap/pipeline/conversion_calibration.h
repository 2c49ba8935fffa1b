// The part of a conversion that calibrates.
#pragma once

#include <actswap/pipeline/conversion_state.h>

namespace actswap {

/// Calibrates state.swap and notes in state.run what that gave. Of a run that is resumed behind it,
/// takes up what it gave.
void calibrate_retargeted(ConversionState& state);

/// Lets a calibration log about how long its joint fit takes.
void announce_joint_fit(const ConversionState& state, CalibrationCallbacks& callbacks);

}  // namespace actswap
