// How the size of a model follows its units.
#pragma once

#include <actswap/prune/budget.h>
#include <actswap/prune/units.h>

#include <torch/script.h>

#include <vector>

namespace actswap {

/// @param is_free for each group: whether units of it can go. Tensors that no such group has
/// entries
///   in are not prunable; their parameters count as others.
SizeModel size_model(const torch::jit::Module& module, const Units& units,
                     const std::vector<bool>& is_free);

}  // namespace actswap
