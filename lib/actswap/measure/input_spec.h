// Inputs from a short description: "8x3x224x224", "1x128:int64<30522", several with ';' or as
// several specs, or the path of a tensor file.
//
//   spec = dims [":" dtype] ["<" bound]      dtype: float32 (default), float64, float16, bfloat16,
//                                            int64, int32, uint8, bool
// Sizes are at least 1. Floats are drawn from N(0,1) and take no bound; integers uniformly from
// [0, bound), bound 2 unless given.
#pragma once

#include <actswap/base/export.h>

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace actswap {

/// @throws UsageError with the spec, where it is wrong and what is expected.
ACTSWAP_API std::vector<torch::Tensor> make_inputs(const std::vector<std::string>& specs,
                                                   std::uint64_t seed = 0);

}  // namespace actswap
