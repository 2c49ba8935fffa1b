#include <actswap/graph/attributes.h>
#include <actswap/graph/casts.h>
#include <actswap/graph/decompose.h>
#include <actswap/graph/helpers.h>
#include <actswap/graph/in_place.h>
#include <actswap/graph/match.h>
#include <actswap/graph/normalise.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/api/function_impl.h>

#include <unordered_set>

namespace actswap {

namespace jit = torch::jit;

namespace {

bool is_module(const c10::TypePtr& type) {
  const auto class_type = type->cast<c10::ClassType>();
  return class_type != nullptr && class_type->is_module();
}

// What a call runs, where it is a free function, a forward hook or a method of a class that can
// have no submodule for a blend; nullptr otherwise.
jit::GraphFunction* free_callee(jit::Node* call) {
  const bool is_method = call->kind() == c10::prim::CallMethod;
  const auto type = is_method ? call->input(0)->type()->cast<c10::ClassType>() : nullptr;
  const bool can_have_blend = type != nullptr && type->is_module() && !saves_itself(type);
  return can_have_blend ? nullptr : callee_of(call);
}

bool applies_activation(jit::Graph& graph) {
  if (!match_all(graph).empty()) {
    return true;
  }
  bool found = false;
  for_each_node(graph.block(), [&](jit::Node* node) {
    auto* callee = found ? nullptr : free_callee(node);
    found = found || (callee != nullptr && applies_activation(*callee->graph()));
  });
  return found;
}

// A hook is code of its module, which may become of another class.
bool is_hook(const jit::Graph& graph) {
  return !graph.inputs().empty() && is_module(graph.inputs()[0]->type());
}

// The graph of the function is copied in, so that other callers keep theirs.
void inline_functions(jit::Block* block) {
  for_each_node(block, [](jit::Node* node) {
    auto* callee = free_callee(node);
    if (callee == nullptr ||
        (!applies_activation(*callee->graph()) && !is_hook(*callee->graph()))) {
      return;
    }
    const auto body = callee->graph()->copy();
    inline_functions(body->block());
    if (node->kind() == c10::prim::CallMethod) {
      jit::inlineCallTo(node, callee, body.get());
      return;
    }
    jit::Node* function_constant = node->input(0)->node();
    node->removeInput(0);
    jit::inlineCallTo(node, callee, body.get());
    if (!function_constant->hasUses()) {
      function_constant->destroy();
    }
  });
}

// Those that are called several times, and those that write to what the caller reads elsewhere.
void inline_activation_modules(const ModuleEntry& caller, const CallCounts& counts,
                               std::unordered_set<const c10::ivalue::Object*>& activation_modules) {
  for (auto* method : user_methods(caller.module.type())) {
    const auto graph = jit::toGraphFunction(*method).graph();
    const Bindings bindings(caller.module._ivalue().get(), *graph);
    for_each_node(graph->block(), [&](jit::Node* node) {
      if (node->kind() != c10::prim::CallMethod) {
        return;
      }
      const auto* receiver = bindings.object_of(node->input(0));
      const auto& name = node->s(c10::attr::name);
      if (receiver == nullptr || !activation_modules.contains(receiver)) {
        return;
      }
      auto& callee = jit::toGraphFunction(*receiver->type()->findMethod(name));
      const auto body = callee.graph()->copy();
      const bool write_is_seen =
          match_all(*body).front().in_place && is_read_elsewhere(node, node->input(1));
      if (counts.of(receiver, name) < 2 && !write_is_seen) {
        return;
      }
      jit::inlineCallTo(node, &callee, body.get());
    });
  }
}

// As nn.TransformerEncoder does where it is given a padding mask.
bool makes_nested_tensors(const std::vector<ModuleEntry>& modules) {
  bool found = false;
  for (const auto& type : distinct_types(modules)) {
    for (auto* method : user_methods(type)) {
      for_each_node(jit::toGraphFunction(*method).graph()->block(), [&](const jit::Node* node) {
        found = found || node->kind() == c10::aten::_nested_tensor_from_mask;
      });
    }
  }
  return found;
}

}  // namespace

bool is_activation_module(const jit::Module& module) {
  if (module.children().size() > 0 || module.parameters(false).size() > 0 ||
      module.buffers(false).size() > 0) {
    return false;
  }
  const auto methods = user_methods(module.type());
  for (auto* method : methods) {
    auto& graph = *jit::toGraphFunction(*method).graph();
    const auto matches = match_all(graph);
    if (graph.inputs().size() != 2 || matches.size() != 1 || graph.outputs().size() != 1 ||
        matches[0].input != graph.inputs()[1] || matches[0].node->output() != graph.outputs()[0]) {
      return false;
    }
  }
  return !methods.empty();
}

jit::Module normalise(const jit::Module& given) {
  const auto root = note_attributes(given);
  const auto modules = distinct_modules(root);
  const bool is_dense = !makes_nested_tensors(modules);
  for (const auto& type : distinct_types(modules)) {
    for (auto* method : user_methods(type)) {
      auto* block = jit::toGraphFunction(*method).graph()->block();
      decompose_encoder_layer(block);
      if (is_dense) {
        decompose_attention(block);
      }
      inline_functions(block);
    }
  }
  note_casts(root);
  for (const auto& type : distinct_types(modules)) {
    for (auto* method : user_methods(type)) {
      inline_helpers(*jit::toGraphFunction(*method).graph());
    }
  }
  std::unordered_set<const c10::ivalue::Object*> activation_modules;
  for (const auto& entry : modules) {
    if (!entry.path.empty() && is_activation_module(entry.module)) {
      activation_modules.insert(entry.module._ivalue().get());
    }
  }
  const CallCounts counts(modules);
  for (const auto& entry : modules) {
    inline_activation_modules(entry, counts, activation_modules);
  }
  return root;
}

}  // namespace actswap
