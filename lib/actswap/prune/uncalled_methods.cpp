#include <actswap/graph/walk.h>
#include <actswap/prune/uncalled_methods.h>

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <set>
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

}  // namespace

std::map<std::int64_t, std::string> numbers_of_uncalled_methods(const jit::Module& module) {
  const auto types = distinct_types(distinct_modules(module));
  const CalledCode called(types);
  std::map<std::int64_t, std::string> numbers;
  for (const auto& type : types) {
    for (auto* method : user_methods(type)) {
      auto* code = jit::tryToGraphFunction(*method);
      if (code == nullptr || called.has(code)) {
        continue;
      }
      for_each_node(code->graph()->block(), [&](jit::Node* node) {
        const auto value = node->kind() == c10::prim::Constant && is_computed_with(node->output())
                               ? jit::toIValue(node->output())
                               : std::nullopt;
        if (value && value->isInt()) {
          numbers.emplace(value->toInt(), method->name());
        } else if (value && value->isIntList()) {
          for (const auto number : value->toIntVector()) {
            numbers.emplace(number, method->name());
          }
        }
      });
    }
  }
  return numbers;
}

}  // namespace actswap
