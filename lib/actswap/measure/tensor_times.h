// How long a model spends on each of its tensors.
#pragma once

#include <actswap/base/export.h>

#include <torch/script.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace actswap {

/// For each parameter or buffer, by its memory (Storage::data), the milliseconds of one forward in
/// the operators that read it: the weight of a layer, of a norm. The median over the rounds. An
/// operator that reads several counts for the first of its arguments; code that torch.jit.fork runs
/// counts for none.
/// @param rounds timed runs, after a few others; > 0
/// @throws UsageError where the model rejects the inputs
ACTSWAP_API std::unordered_map<const void*, double> tensor_milliseconds(
    const torch::jit::Module& module, const std::vector<torch::Tensor>& inputs,
    std::int64_t rounds);

}  // namespace actswap
