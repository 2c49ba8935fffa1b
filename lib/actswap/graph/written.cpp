#include <actswap/graph/in_place.h>
#include <actswap/graph/walk.h>
#include <actswap/graph/written.h>

#include <torch/csrc/jit/api/function_impl.h>

#include <algorithm>
#include <set>

namespace actswap {

namespace jit = torch::jit;

namespace {

bool writes_to(const jit::Use& use) {
  const auto* schema = use.user->maybeSchema();
  if (schema == nullptr || use.offset >= schema->arguments().size()) {
    return false;
  }
  const auto* alias = schema->arguments()[use.offset].alias_info();
  return alias != nullptr && alias->isWrite();
}

class Writers {
 public:
  explicit Writers(const std::vector<c10::ClassTypePtr>& types) : types_(types) {}

  /// @param type of the method; nullptr: it is a function
  bool write_to(const c10::ClassTypePtr& type, const jit::Function& method,
                const jit::Value* value) {
    if (!visited_.insert(value).second) {
      return false;
    }
    return std::any_of(value->uses().begin(), value->uses().end(), [&](const jit::Use& use) {
      return writes_to(use) || writes_to_view(type, method, use.user) ||
             taker_writes(type, method, use) || writes_to_what_leaves(type, method, use);
    });
  }

 private:
  bool writes_to_view(const c10::ClassTypePtr& type, const jit::Function& method,
                      const jit::Node* node) {
    const auto outputs = node->outputs();
    return is_view(node) && std::any_of(outputs.begin(), outputs.end(), [&](const auto* output) {
             return write_to(type, method, output);
           });
  }

  // In a method or function, in what torch.jit.fork runs, in or behind a loop.
  bool taker_writes(const c10::ClassTypePtr& type, const jit::Function& method,
                    const jit::Use& use) {
    const jit::Node* node = use.user;
    if (node->kind() == c10::prim::Loop &&
        use.offset > 1) {  // first go the count and the condition
      return write_to(type, method, node->output(use.offset - 2)) ||
             write_to(type, method, node->blocks()[0]->inputs()[use.offset - 1]);
    }
    if (const auto forked = forked_graph(node)) {
      return write_to(type, method, forked->inputs()[use.offset]);
    }
    auto* callee = use.offset > 0 ? callee_of(node) : nullptr;
    if (callee == nullptr) {
      return false;
    }
    if (node->kind() == c10::prim::CallFunction) {  // first goes the function
      // What it gives back may be what it was given.
      return write_to(type, method, node->output()) ||
             write_to(nullptr, *callee, callee->graph()->inputs()[use.offset - 1]);
    }
    return write_to(node->input(0)->type()->cast<c10::ClassType>(), *callee,
                    callee->graph()->inputs()[use.offset]);
  }

  // Out of a branch, out of or once more around a loop, or back to those that call the method.
  bool writes_to_what_leaves(const c10::ClassTypePtr& type, const jit::Function& method,
                             const jit::Use& use) {
    if (use.user->kind() != c10::prim::Return) {
      return false;
    }
    const jit::Node* outer = use.user->owningBlock()->owningNode();
    if (outer == nullptr) {
      return type != nullptr && caller_writes(type, method, use.offset);
    }
    if (outer->kind() == c10::prim::If) {
      return write_to(type, method, outer->output(use.offset));
    }
    if (outer->kind() == c10::prim::Loop && use.offset > 0) {  // first goes the condition
      return write_to(type, method, outer->output(use.offset - 1)) ||
             write_to(type, method, outer->blocks()[0]->inputs()[use.offset]);
    }
    return false;
  }

  bool caller_writes(const c10::ClassTypePtr& type, const jit::Function& method,
                     std::size_t output) {
    bool found = false;
    for (const auto& caller : types_) {
      for (auto* code : user_methods(caller)) {
        for_each_node(jit::toGraphFunction(*code).graph()->block(), [&](const jit::Node* node) {
          found =
              found || (may_call(node, type, method.name()) && output < node->outputs().size() &&
                        write_to(caller, *code, node->output(output)));
        });
      }
    }
    return found;
  }

  const std::vector<c10::ClassTypePtr>& types_;
  std::set<const jit::Value*> visited_;
};

}  // namespace

bool is_written(const std::vector<c10::ClassTypePtr>& types, const c10::ClassTypePtr& type,
                const jit::Function& method, const jit::Value* value) {
  return Writers(types).write_to(type, method, value);
}

}  // namespace actswap
