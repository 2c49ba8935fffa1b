#include <actswap/graph/code_questions.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/api/function_impl.h>

#include <algorithm>
#include <array>
#include <functional>
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

// In whatever code the module may run.
bool has_node(const jit::Module& module, const std::function<bool(const jit::Node*)>& is_wanted) {
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
    bool found = false;
    for_each_node(function->graph()->block(), [&](const jit::Node* node) {
      found = found || is_wanted(node);
      if (auto* callee = callee_of(node)) {
        open.push_back(callee);
      }
    });
    if (found) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool takes_gradients(jit::Graph& graph) {
  bool found = false;
  for_each_node(graph.block(),
                [&](const jit::Node* node) { found = found || asks_for_gradient(node); });
  return found;
}

bool takes_gradients(const jit::Module& module) {
  return has_node(module, asks_for_gradient);
}

bool asks_for_gradient_mode(const jit::Module& module) {
  static const auto kKind = c10::Symbol::aten("is_grad_enabled");
  return has_node(module, [](const jit::Node* node) { return node->kind() == kKind; });
}

bool asks_for_rank_or_type(const jit::Module& module) {
  static const std::array<c10::Symbol, 5> kKinds = {
      c10::Symbol::aten("dim"), c10::Symbol::prim("dtype"), c10::Symbol::aten("is_floating_point"),
      c10::Symbol::aten("is_complex"), c10::Symbol::aten("len")};
  return has_node(module, [](const jit::Node* node) {
    return std::find(kKinds.begin(), kKinds.end(), node->kind()) != kKinds.end();
  });
}

}  // namespace actswap
