// What kind of model it is: scripted, traced or frozen, and whether its mode is fixed.
#pragma once

#include <actswap/graph/model.h>

namespace actswap {

/// Fills in `kind` and `fixed_mode`.
void classify(Model& model);

}  // namespace actswap
