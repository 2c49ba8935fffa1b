// Branches that a program takes for all of its inputs.
#pragma once

#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

#include <functional>
#include <memory>
#include <vector>

namespace actswap {

/// Replaces an If by a branch if all inputs take that one. A transformer encoder, say, decides at
/// run time between a fused and a plain way to compute the same. The module runs with gradients, as
/// in training, so that gradients can pass the branch. The graph is then valid for these inputs and
/// for others that take the same branches.
/// @param graph of flatten(module)
/// @param inputs of forward, all of its arguments but self each
/// @param matters which nodes in a branch make it worth taking out
/// @return whether one was
/// @throws UsageError where the module does not accept the inputs
bool take_branches(const std::shared_ptr<torch::jit::Graph>& graph,
                   const torch::jit::Module& module,
                   const std::vector<std::vector<c10::IValue>>& inputs,
                   const std::function<bool(const torch::jit::Node*)>& matters);

}  // namespace actswap
