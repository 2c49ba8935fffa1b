// Operators and constants in a graph, and the activations that one operator computes.
#pragma once

#include <actswap/graph/match.h>

#include <optional>
#include <string>

namespace actswap {

struct Operator {
  std::string name;  ///< "silu" of aten::silu and of aten::silu_
  bool in_place;
};

/// The ATen operator with one output that a node is.
std::optional<Operator> aten_operator(const torch::jit::Node* node);

/// A number that is a constant in the graph: a scalar, or in traces a tensor of dimension 0; or an
/// attribute noted as constant.
std::optional<double> constant_number(const torch::jit::Value* value);

/// The one node of a block beside constants; nullptr where there is none or are several.
torch::jit::Node* only_node(torch::jit::Block* block);

/// The activation that the node's operator is.
std::optional<Match> match_operator(torch::jit::Node* node);

/// The same for the code of torch.nn.functional: if inplace: aten::X_(x) else: aten::X(x).
std::optional<Match> match_inplace_branch(torch::jit::Node* node);

}  // namespace actswap
