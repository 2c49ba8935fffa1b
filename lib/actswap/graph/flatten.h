// A model's forward as one graph, to follow how data flows through it.
#pragma once

#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

#include <memory>

namespace actswap {

/// The forward of a module in eval mode as one new graph. It inlines every call except those of
/// blends, and folds code that depends only on the mode. Its first input is the module. It shares
/// constant tensors with the module's own graphs.
std::shared_ptr<torch::jit::Graph> flatten(const torch::jit::Module& module);

/// Folds all that is known before the graph runs.
void fold(std::shared_ptr<torch::jit::Graph> graph);

/// Whether the node is a call of a blend.
bool is_blend_call(const torch::jit::Node* node);

}  // namespace actswap
