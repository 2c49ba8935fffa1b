#include <actswap/graph/gradients.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/api/function_impl.h>

#include <algorithm>
#include <array>
#include <unordered_set>
#include <vector>

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
  std::vector<jit::Function*> open;
  for (const auto& type : distinct_types(distinct_modules(module))) {
    const auto methods = user_methods(type);
    open.insert(open.end(), methods.begin(), methods.end());
  }
  std::unordered_set<const jit::Graph*> known;
  while (!open.empty()) {
    auto* function = jit::tryToGraphFunction(*open.back());
    open.pop_back();
    if (function == nullptr || !known.insert(function->graph().get()).second) {
      continue;
    }
    if (takes_gradients(*function->graph())) {
      return true;
    }
    for_each_node(function->graph()->block(), [&](const jit::Node* node) {
      if (auto* callee = callee_of(node)) {
        open.push_back(callee);
      }
    });
  }
  return false;
}

}  // namespace actswap
