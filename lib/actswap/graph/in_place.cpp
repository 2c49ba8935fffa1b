#include <actswap/graph/in_place.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/api/function_impl.h>

#include <algorithm>
#include <set>

namespace actswap {

namespace jit = torch::jit;

namespace {

// Whether what a method gives back may be an argument of it, or a view of one, as nn.Identity's is.
bool returns_an_argument(const jit::Node* call_method);

bool may_hold_a_tensor(const c10::TypePtr& type) {
  const auto contained = type->containedTypes();
  return type->kind() == c10::TypeKind::TensorType ||
         (type->kind() != c10::TypeKind::ClassType &&
          std::any_of(contained.begin(), contained.end(), may_hold_a_tensor));
}

// What a node's outputs may share memory with: nothing unless it is a view.
std::vector<const jit::Value*> viewed_by(const jit::Node* node) {
  std::vector<const jit::Value*> viewed;
  if (is_view(node)) {
    std::copy_if(node->inputs().begin(), node->inputs().end(), std::back_inserter(viewed),
                 [](const jit::Value* input) { return may_hold_a_tensor(input->type()); });
  }
  return viewed;
}

bool comes_from_an_argument(const jit::Value* value) {
  if (value->node()->kind() == c10::prim::Param) {
    return value->offset() > 0;  // self is none
  }
  const auto blocks = value->node()->blocks();
  if (value->node()->kind() == c10::prim::If) {
    return std::any_of(blocks.begin(), blocks.end(), [&](const jit::Block* block) {
      return comes_from_an_argument(block->outputs()[value->offset()]);
    });
  }
  const auto sources = viewed_by(value->node());
  return std::any_of(sources.begin(), sources.end(), comes_from_an_argument);
}

bool returns_an_argument(const jit::Node* call_method) {
  const auto type = call_method->input(0)->type()->cast<c10::ClassType>();
  auto* method = type == nullptr ? nullptr : type->findMethod(call_method->s(c10::attr::name));
  auto* code = method == nullptr ? nullptr : jit::tryToGraphFunction(*method);
  if (code == nullptr || call_method->inputs().size() < 2) {
    return type == nullptr && call_method->inputs().size() > 1;  // an interface, which may be any
  }
  const auto outputs = code->graph()->outputs();
  return std::any_of(outputs.begin(), outputs.end(), comes_from_an_argument);
}

bool is_within(const jit::Node* inner, const jit::Node* outer) {
  for (const jit::Node* node = inner; node != nullptr; node = node->owningBlock()->owningNode()) {
    if (node == outer) {
      return true;
    }
  }
  return false;
}

bool may_run_after(const jit::Node* node, const jit::Node* writer) {
  return !is_within(node, writer) && !node->isBefore(writer);
}

// Whether somebody reads the value, or a view of it but the one given, after the writer.
bool is_read_after(const jit::Node* writer, const jit::Value* value, const jit::Value* but) {
  return std::any_of(value->uses().begin(), value->uses().end(), [&](const jit::Use& use) {
    if (!is_view(use.user)) {
      return may_run_after(use.user, writer);
    }
    const auto views = use.user->outputs();
    return std::any_of(views.begin(), views.end(), [&](const jit::Value* view) {
      return view != but && is_read_after(writer, view, but);
    });
  });
}

bool is_seen_through_a_view(const jit::Node* writer, const jit::Value* value) {
  // What the value was taken from, and other views of that.
  const jit::Value* viewed = value;
  for (auto sources = viewed_by(viewed->node()); !sources.empty();
       sources = viewed_by(viewed->node())) {
    const bool is_part =
        viewed->node()->kind() == c10::prim::ListUnpack;  // the others are elsewhere
    if (!is_part && std::any_of(sources.begin(), sources.end(), [&](const jit::Value* source) {
          return is_read_after(writer, source, viewed);
        })) {
      return true;
    }
    viewed = sources[0];
  }
  // Views taken before the write; one taken after it shows the new value, as its replacement does.
  return std::any_of(value->uses().begin(), value->uses().end(), [&](const jit::Use& use) {
    const auto views = use.user->outputs();
    return is_view(use.user) && !may_run_after(use.user, writer) &&
           std::any_of(views.begin(), views.end(), [&](const jit::Value* view) {
             return is_read_after(writer, view, nullptr);
           });
  });
}

bool is_in_a_loop_around(const jit::Node* node, const jit::Block* outer) {
  for (const jit::Block* block = node->owningBlock(); block != nullptr && block != outer;
       block = block->owningNode() == nullptr ? nullptr : block->owningNode()->owningBlock()) {
    if (block->owningNode() != nullptr && block->owningNode()->kind() == c10::prim::Loop) {
      return true;
    }
  }
  return false;
}

using Visited = std::set<std::pair<const jit::Function*, std::size_t>>;

bool argument_is_read_elsewhere(const std::vector<c10::ClassTypePtr>& types,
                                const c10::ClassTypePtr& type, const std::string& method,
                                std::size_t index, Visited& visited) {
  if (!visited.emplace(type->findMethod(method), index).second) {
    return false;
  }
  bool found = false;
  for (const auto& caller : types) {
    for (auto* code : user_methods(caller)) {
      const auto graph = jit::toGraphFunction(*code).graph();
      for_each_node(graph->block(), [&](jit::Node* node) {
        if (found || !may_call(node, type, method) || index >= node->inputs().size()) {
          return;
        }
        const jit::Value* argument = node->input(index);
        found =
            is_read_elsewhere(node, argument) ||
            (argument->node()->kind() == c10::prim::Param &&
             argument->owningGraph() != graph.get()) ||  // what a fork was given
            (argument->node() == graph->param_node() &&
             argument_is_read_elsewhere(types, caller, code->name(), argument->offset(), visited));
      });
    }
  }
  return found;
}

}  // namespace

bool is_view(const jit::Node* node) {
  static const std::set<std::string> kViews = {
      "view",     "reshape",    "transpose",  "permute",      "select",    "slice",
      "narrow",   "chunk",      "split",      "unsqueeze",    "squeeze",   "flatten",
      "expand",   "t",          "detach",     "to",           "unbind",    "view_as",
      "swapaxes", "as_strided", "contiguous", "dropout",      "unflatten", "__getitem__",
      "movedim",  "alias",      "expand_as",  "tensor_split", "numpy_T",   "split_with_sizes"};
  const auto kind = node->kind();
  return kind == c10::prim::ListUnpack || kind == c10::prim::ListConstruct ||
         kind == c10::prim::TupleUnpack || kind == c10::prim::TupleConstruct ||
         kind == c10::prim::TupleIndex ||
         (kind.is_aten() && kViews.contains(kind.toUnqualString())) ||
         (kind == c10::prim::CallMethod && returns_an_argument(node));
}

bool may_call(const jit::Node* node, const c10::ClassTypePtr& type, const std::string& method) {
  if (node->kind() != c10::prim::CallMethod || node->s(c10::attr::name) != method) {
    return false;
  }
  const auto receiver = node->input(0)->type();
  return receiver->cast<c10::ClassType>() == nullptr ? type->isSubtypeOf(*receiver)  // an interface
                                                     : *receiver == *type;
}

bool is_read_elsewhere(const jit::Node* user, const jit::Value* value) {
  return is_seen_through_a_view(user, value) ||
         std::any_of(value->uses().begin(), value->uses().end(),
                     [&](const jit::Use& use) { return !is_within(use.user, user); });
}

bool argument_is_read_elsewhere(const std::vector<c10::ClassTypePtr>& types,
                                const c10::ClassTypePtr& type, const std::string& method,
                                std::size_t index) {
  Visited visited;
  return argument_is_read_elsewhere(types, type, method, index, visited);
}

std::string in_place_obstacle(jit::Node* node, jit::Value* input) {
  if (is_seen_through_a_view(node, input)) {
    return "it writes in place to a value that is also read through a view";
  }
  const jit::Block* home = input->node()->owningBlock();
  if (home != node->owningBlock() &&
      (is_read_elsewhere(node, input) || is_in_a_loop_around(node, home))) {
    return "it writes in place, inside a branch or loop, to a value that is read elsewhere";
  }
  return "";
}

}  // namespace actswap
