// Scales and shifts a blend's input through the tensors that reach nothing else.
#pragma once

#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/shift.h>

namespace actswap {

/// Makes the input scale * input + shift, through the site's bias and weight. Channels that an
/// affine in between removes stay as they are.
/// @param site with a bias, and with a weight if any scale is not 1
/// @return the change that was made
InputChange move_input(const BlendSite& site, const InputChange& change);

}  // namespace actswap
