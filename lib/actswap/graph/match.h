// Recognising an activation in a graph.
#pragma once

#include <actswap/activation/activation.h>
#include <actswap/graph/sites.h>

#include <torch/csrc/jit/ir/ir.h>

#include <optional>
#include <string>
#include <vector>

namespace actswap {

struct Match {
  torch::jit::Node* node = nullptr;    ///< gives the activation's output; an operator or a branch
  torch::jit::Value* input = nullptr;  ///< the activation's argument
  ActivationSpec activation;
  SiteForm form = SiteForm::op;
  bool in_place = false;
  /// Of a hand-written form: the other nodes, the nearest to `node` first.
  std::vector<torch::jit::Node*> parts = {};
  std::string obstacle = {};  ///< empty, or why it cannot be replaced
};

/// The activation that the node computes, if it does.
std::optional<Match> match_activation(torch::jit::Node* node);

/// All activations of a graph and of the graphs that it forks, in program order; a branch that is
/// an activation is one match.
std::vector<Match> match_all(torch::jit::Graph& graph);

/// Gives a hand-written activation its own copies of its parts, so that changes to them elsewhere
/// do not affect it.
void own_parts(const Match& match);

/// Puts `output` in the place of the match's. For an in-place form this includes the reads of its
/// input that come afterwards in the same block. The match's node is destroyed.
void replace_match(const Match& match, torch::jit::Value* output);

}  // namespace actswap
