#include <actswap/graph/reload.h>
#include <actswap/graph/walk.h>
#include <actswap/prune/inline_functions.h>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/ir.h>

namespace actswap {

namespace jit = torch::jit;

namespace {

// Those that are there; a body may bring new ones.
bool inline_calls(jit::Block* block, const std::set<std::string>& functions) {
  bool found = false;
  for_each_node(block, [&](jit::Node* node) {
    auto* callee = node->kind() == c10::prim::CallFunction ? callee_of(node) : nullptr;
    if (callee == nullptr || !functions.contains(callee->qualname().qualifiedName())) {
      return;
    }
    const auto body = callee->graph()->copy();
    node->removeInput(0);
    jit::inlineCallTo(node, callee, body.get());
    found = true;
  });
  return found;
}

}  // namespace

jit::Module inline_functions(const jit::Module& module, const std::set<std::string>& functions) {
  auto edited = recompile(module);
  if (functions.empty()) {
    return edited;
  }
  for (const auto& type : distinct_types(distinct_modules(edited))) {
    for (auto* method : user_methods(type)) {
      while (inline_calls(jit::toGraphFunction(*method).graph()->block(), functions)) {
      }
    }
  }
  return recompile(edited);
}

}  // namespace actswap
