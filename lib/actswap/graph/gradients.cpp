#include <actswap/graph/gradients.h>
#include <actswap/graph/walk.h>

#include <algorithm>
#include <array>

namespace actswap {

namespace jit = torch::jit;

namespace {

bool asks_for_gradient(const jit::Node* node) {
  static const std::array<c10::Symbol, 3> kKinds = {c10::Symbol::aten("requires_grad_"),
                                                    c10::Symbol::aten("grad"),
                                                    c10::Symbol::aten("backward")};
  return std::find(kKinds.begin(), kKinds.end(), node->kind()) != kKinds.end();
}

}  // namespace

bool takes_gradients(jit::Graph& graph) {
  bool found = false;
  for_each_node(graph.block(),
                [&](const jit::Node* node) { found = found || asks_for_gradient(node); });
  return found;
}

bool takes_gradients(const jit::Module& module) {
  return any_node(module, asks_for_gradient);
}

}  // namespace actswap
