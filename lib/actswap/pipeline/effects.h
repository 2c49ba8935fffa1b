// Refuses options that would have no effect: whoever gives one expects something of it.
#pragma once

#include <actswap/pipeline/request.h>

namespace actswap {

/// @param recipe of the conversion
/// @throws UsageError for the first given option without effect; it says what the option needs
void check_effects(const ConvertRequest& request, Recipe recipe);

}  // namespace actswap
