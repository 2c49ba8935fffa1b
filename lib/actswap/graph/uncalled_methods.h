// Code that forward never runs.
#pragma once

#include <torch/script.h>

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace actswap {

/// The numbers passed to operators and calls in methods that forward does not call (from
/// torch.jit.export), each with the name of one of these methods. Nothing tells what such a number
/// counts, and no trial would show that it is wrong.
std::map<std::int64_t, std::string> numbers_of_uncalled_methods(const torch::jit::Module& module);

/// The tensors of the module that such methods read, in what they call too, each with the name of
/// one of these methods. Nothing that looks at forward alone sees these reads. A submodule's own
/// forward, if nothing calls it, does not count.
std::unordered_map<const c10::TensorImpl*, std::string> tensors_of_uncalled_methods(
    const torch::jit::Module& module);

/// The tensors that attributes hold in lists, dicts, tuples and objects of other classes.
std::unordered_set<const c10::TensorImpl*> contained_tensors(const torch::jit::Module& module);

}  // namespace actswap
