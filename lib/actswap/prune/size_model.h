// How the size of a model depends on its units.
#pragma once

#include <actswap/prune/budget.h>
#include <actswap/prune/units.h>

#include <torch/script.h>

#include <unordered_map>
#include <vector>

namespace actswap {

/// @param is_free for each group: whether units of it can go. Tensors without entries of such a
///   group are not prunable; their parameters count as others.
SizeModel size_model(const torch::jit::Module& module, const Units& units,
                     const std::vector<bool>& is_free);

/// The same with milliseconds instead of multiplications: a tensor costs the time of the operators
/// that read it, in proportion to its elements. Products of two values cost nothing.
/// @param milliseconds tensor_milliseconds of the module
SizeModel time_model(const torch::jit::Module& module, const Units& units,
                     const std::vector<bool>& is_free,
                     const std::unordered_map<const void*, double>& milliseconds);

}  // namespace actswap
