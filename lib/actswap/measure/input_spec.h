// Inputs from a short description: "8x3x224x224", "1x128:int64<30522", several with ';' or as
// several specs, by name in braces for a model that takes a dict: "{ids: 1x16:int64<30522, mask:
// 1x16:int64}", or the path of a tensor file.
//
//   part = spec | "{" name ":" spec { "," name ":" spec } "}" | path
//   spec = dims [":" dtype] ["<" bound]      dtype: float32 (default), float64, float16, bfloat16,
//                                            int64, int32, uint8, bool
// Sizes are at least 1. Floats are drawn from N(0,1) and take no bound; integers uniformly from
// [0, bound), bound 2 unless given.
#pragma once

#include <actswap/base/export.h>

#include <torch/script.h>

#include <cstdint>
#include <string>
#include <vector>

namespace actswap {

/// @param specs one or more, as above
/// @param seed of the random numbers
/// @param names of the tensors that the model takes (argument_names). They set the order of inputs
///   in braces, and of those of a file if all of its names are among them
/// @throws UsageError that quotes the spec and says where it is wrong and what is expected.
ACTSWAP_API std::vector<torch::Tensor> make_inputs(const std::vector<std::string>& specs,
                                                   std::uint64_t seed = 0,
                                                   const std::vector<std::string>& names = {});

/// Inputs for this model, by the names of its input tensors.
ACTSWAP_API std::vector<torch::Tensor> make_inputs(const std::vector<std::string>& specs,
                                                   const torch::jit::Module& module);

}  // namespace actswap
