// The part of a conversion that removes units.
#pragma once

#include <actswap/pipeline/conversion_state.h>

namespace actswap {

/// Prunes state.swap, whose blends stand at 1, notes in state.run what became of it and how good
/// the model was before, in between and after, and tells the training what is left of the layers.
void prune_retargeted(ConversionState& state);

}  // namespace actswap
