// Options that would have no effect are refused: whoever gives one expects something of it.
#pragma once

#include <actswap/pipeline/request.h>

namespace actswap {

/// @param recipe that the conversion goes by
/// @throws UsageError for the first option that is given and has no effect, with what it needs
void check_effects(const ConvertRequest& request, Recipe recipe);

}  // namespace actswap
