// Making the weights of a frozen model trainable again.
#pragma once

#include <actswap/base/export.h>
#include <actswap/graph/model.h>

#include <cstddef>

namespace actswap {

/// Freezing turns parameters into constants of the code. This makes floating-point constants
/// parameters of the root again if convolution, linear and matrix products (einsum too), embeddings
/// or norms read them, or if they are factors or offsets per channel right behind a layer or norm.
/// Their names are "thawed_0", "thawed_1", ... in the order of the code; a constant that is read at
/// several places becomes one parameter. The outputs stay as they are.
/// @return how many it made
/// @throws UsageError where there are none
ACTSWAP_API std::size_t thaw(Model& model);

}  // namespace actswap
