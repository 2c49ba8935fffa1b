// The input of a blend, scaled and shifted by way of the tensors that alone reach it.
#pragma once

#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/shift.h>

namespace actswap {

/// The input becomes scale * input + shift, by the site's bias and weight. Channels that an affine
/// in between takes away stay as they are.
/// @param site with a bias; with a weight, too, where a scale is not 1
/// @return what the change has become
InputChange move_input(const BlendSite& site, const InputChange& change);

}  // namespace actswap
