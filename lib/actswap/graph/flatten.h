// A model's forward as one graph, for looking at how data flows through it.
#pragma once

#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

#include <memory>

namespace actswap {

/// The forward of a module in eval mode as one graph of its own: every call is inlined but those of
/// blends, and what depends on the mode alone is gone. Its first input is the module. Constant
/// tensors are those of the module's own graphs.
std::shared_ptr<torch::jit::Graph> flatten(const torch::jit::Module& module);

/// Takes away what is known before the graph runs.
void fold(std::shared_ptr<torch::jit::Graph> graph);

/// Whether the node is a call of a blend.
bool is_blend_call(const torch::jit::Node* node);

}  // namespace actswap
