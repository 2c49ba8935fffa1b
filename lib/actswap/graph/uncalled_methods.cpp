#include <actswap/graph/containers.h>
#include <actswap/graph/uncalled_methods.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace actswap {

namespace {

namespace jit = torch::jit;

class CalledCode {
 public:
  explicit CalledCode(const std::vector<c10::ClassTypePtr>& types) : types_(types) {
    for (const auto& type : types) {
      for (const auto& hooks : {type->getForwardHooks(), type->getForwardPreHooks()}) {
        for (auto* hook : hooks) {
          visit(jit::tryToGraphFunction(*hook));
        }
      }
    }
    visit_methods("forward", *types.front());
  }

  bool has(const jit::GraphFunction* code) const { return called_.contains(code); }

 private:
  void visit_methods(const std::string& name, const c10::Type& receiver) {
    for (const auto& type : types_) {
      auto* method = type->isSubtypeOf(receiver) ? type->findMethod(name) : nullptr;
      visit(method == nullptr ? nullptr : jit::tryToGraphFunction(*method));
    }
  }

  void visit(jit::GraphFunction* code) {
    if (code == nullptr || !called_.insert(code).second) {
      return;
    }
    for_each_node(code->graph()->block(), [this](jit::Node* node) {
      if (auto* callee = callee_of(node)) {
        visit(callee);
      } else if (node->kind() == c10::prim::CallMethod) {  // of an interface
        visit_methods(node->s(c10::attr::name), *node->input(0)->type());
      }
    });
  }

  const std::vector<c10::ClassTypePtr>& types_;
  std::set<const jit::GraphFunction*> called_;
};

bool is_computed_with(const jit::Value* number) {
  return std::ranges::any_of(number->uses(), [](const jit::Use& use) {
    const auto kind = use.user->kind();
    return kind.is_aten() || kind == c10::prim::ListConstruct || kind == c10::prim::CallMethod ||
           kind == c10::prim::CallFunction;
  });
}

// LSTM and GRU have an overload of forward for tensors and one for packed sequences, with the same
// numbers: those of weights that both read.
bool has_overloads_of_forward(const c10::Type& type) {
  const auto& name = type.expectRef<c10::ClassType>().name();
  return name && name->qualifiedName().starts_with("__torch__.torch.nn.modules.rnn.");
}

// Calls visit(type, method, code) for each.
template <typename Visit>
void for_each_uncalled_method(const jit::Module& module, const Visit& visit) {
  const auto types = distinct_types(distinct_modules(module));
  const CalledCode called(types);
  for (const auto& type : types) {
    const auto methods = user_methods(type);
    const bool is_called = std::ranges::any_of(methods, [&](jit::Function* method) {
      return called.has(jit::tryToGraphFunction(*method));
    });
    if (is_called && has_overloads_of_forward(*type)) {
      continue;
    }
    for (auto* method : methods) {
      auto* code = jit::tryToGraphFunction(*method);
      if (code != nullptr && !called.has(code)) {
        visit(type, *method, *code);
      }
    }
  }
}

// What a method of an object reads, and what the methods that it calls read.
class Reads {
 public:
  explicit Reads(std::unordered_map<const c10::TensorImpl*, std::string>& found) : found_(found) {}

  void of(c10::ivalue::Object* self, jit::GraphFunction& code, const std::string& method) {
    if (!done_.emplace(self, &code).second) {
      return;
    }
    const Bindings bindings(self, *code.graph());
    for_each_node(code.graph()->block(), [&](jit::Node* node) {
      if (node->kind() == c10::prim::GetAttr) {
        auto* owner = bindings.object_of(node->input(0));
        const auto slot = owner == nullptr
                              ? std::nullopt
                              : owner->type()->findAttributeSlot(node->s(c10::attr::name));
        if (slot) {
          for_each_element(owner->getSlot(*slot), [&](const c10::IValue& value) {
            if (value.isTensor() && value.toTensor().defined()) {
              found_.emplace(value.toTensor().unsafeGetTensorImpl(), method);
            }
          });
        }
      } else if (node->kind() == c10::prim::CallMethod) {
        auto* receiver = bindings.object_of(node->input(0));
        auto* callee = callee_of(node);
        if (receiver != nullptr && callee != nullptr) {
          of(receiver, *callee, method);
        }
      }
    });
  }

 private:
  std::unordered_map<const c10::TensorImpl*, std::string>& found_;
  std::set<std::pair<const c10::ivalue::Object*, const jit::GraphFunction*>> done_;
};

void add_tensors_in(const c10::IValue& value, std::unordered_set<const c10::TensorImpl*>& found,
                    std::unordered_set<const c10::ivalue::Object*>& known) {
  for_each_element(value, [&](const c10::IValue& element) {
    if (element.isTensor() && element.toTensor().defined()) {
      found.insert(element.toTensor().unsafeGetTensorImpl());
    } else if (element.isObject() && !element.isModule() &&
               known.insert(element.toObject().get()).second) {
      for (const auto& slot : element.toObject()->slots()) {
        add_tensors_in(slot, found, known);
      }
    }
  });
}

}  // namespace

std::map<std::int64_t, std::string> numbers_of_uncalled_methods(const jit::Module& module) {
  std::map<std::int64_t, std::string> numbers;
  for_each_uncalled_method(
      module, [&](const c10::ClassTypePtr&, jit::Function& method, jit::GraphFunction& code) {
        for_each_node(code.graph()->block(), [&](jit::Node* node) {
          const auto value = node->kind() == c10::prim::Constant && is_computed_with(node->output())
                                 ? jit::toIValue(node->output())
                                 : std::nullopt;
          if (value && value->isInt()) {
            numbers.emplace(value->toInt(), method.name());
          } else if (value && value->isIntList()) {
            for (const auto number : value->toIntVector()) {
              numbers.emplace(number, method.name());
            }
          }
        });
      });
  return numbers;
}

std::unordered_map<const c10::TensorImpl*, std::string> tensors_of_uncalled_methods(
    const jit::Module& module) {
  std::unordered_map<const c10::TensorImpl*, std::string> found;
  Reads reads(found);
  const auto modules = distinct_modules(module);
  for_each_uncalled_method(
      module, [&](const c10::ClassTypePtr& type, jit::Function& method, jit::GraphFunction& code) {
        // That of a module whose weights another one reads, as attention reads its output layer's.
        const bool is_forward = method.name() == "forward";
        for (const auto& entry : modules) {
          if (!is_forward && entry.module.type() == type) {
            reads.of(entry.module._ivalue().get(), code, method.name());
          }
        }
      });
  return found;
}

std::unordered_set<const c10::TensorImpl*> contained_tensors(const jit::Module& module) {
  std::unordered_set<const c10::TensorImpl*> found;
  std::unordered_set<const c10::ivalue::Object*> known;
  for (const auto& entry : distinct_modules(module)) {
    for (const auto& slot : entry.module._ivalue()->slots()) {
      if (!slot.isTensor() && !slot.isModule()) {
        add_tensors_in(slot, found, known);
      }
    }
  }
  return found;
}

}  // namespace actswap
