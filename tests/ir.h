// Graphs as text, for tests that compare what goes into a pass with what comes out.
#pragma once

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/irparser.h>
#include <torch/csrc/jit/passes/canonicalize.h>
#include <torch/csrc/jit/passes/constant_pooling.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/script.h>

#include <memory>
#include <regex>
#include <string>

namespace actswap {

inline std::shared_ptr<torch::jit::Graph> parse(const std::string& text) {
  auto graph = std::make_shared<torch::jit::Graph>();
  torch::jit::parseIR(text, graph.get(), /*parse_tensor_constants=*/true);
  return graph;
}

/// The graph with its values numbered in order, constants pooled and unused pure nodes gone, so
/// that two graphs that do the same in the same order read the same.
inline std::string canonical(const std::shared_ptr<torch::jit::Graph>& graph) {
  const auto copy = graph->copy();
  torch::jit::EliminateDeadCode(copy);
  torch::jit::ConstantPooling(copy);
  // Nested blocks say where their code came from all the same. What a pass notes for others is left
  // out.
  static const std::regex kOrigin(" # [^\n]*|, actswap_(number|tensor|model_type)=[^,\\]]*");
  return std::regex_replace(torch::jit::Canonicalize(copy, false)->toString(false), kOrigin, "");
}

inline std::string canonical(const std::string& text) {
  return canonical(parse(text));
}

inline std::shared_ptr<torch::jit::Graph> graph_of(const torch::jit::Module& module,
                                                   const std::string& method = "forward") {
  return torch::jit::toGraphFunction(module.get_method(method).function()).graph();
}

}  // namespace actswap
