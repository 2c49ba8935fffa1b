#include <actswap/graph/fixed_containers.h>

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>

namespace actswap {

namespace jit = torch::jit;

namespace {

bool is_container(const c10::TypePtr& type) {
  return type->kind() == c10::TypeKind::ListType || type->kind() == c10::TypeKind::DictType;
}

bool reads_only(const jit::Use& use) {
  const auto kind = use.user->kind();
  return kind == c10::aten::__contains__ || kind == c10::aten::__getitem__ ||
         kind == c10::aten::len;
}

}  // namespace

FixedContainers::FixedContainers(const std::vector<ModuleEntry>& modules) {
  for (const auto& type : distinct_types(modules)) {
    for (jit::Function* method : user_methods(type)) {
      auto* code = jit::tryToGraphFunction(*method);
      if (code == nullptr) {
        continue;
      }
      for_each_node(code->graph()->block(), [&](const jit::Node* node) {
        const bool is_read =
            node->kind() == c10::prim::GetAttr && is_container(node->output()->type()) &&
            !std::all_of(node->output()->uses().begin(), node->output()->uses().end(), reads_only);
        if (is_read || node->kind() == c10::prim::SetAttr) {
          changed_.insert(node->s(c10::attr::name));
        }
      });
    }
  }
}

const jit::Node* FixedContainers::asked_by(const jit::Value* condition) const {
  const jit::Node* node = condition->node();
  if (node->kind() != c10::aten::__contains__) {
    return nullptr;
  }
  const jit::Node* attribute = node->input(0)->node();
  const bool is_fixed = attribute->kind() == c10::prim::GetAttr &&
                        is_container(attribute->output()->type()) &&
                        !changed_.contains(attribute->s(c10::attr::name));
  return is_fixed ? attribute : nullptr;
}

std::optional<bool> FixedContainers::answer(const jit::Value* condition,
                                            const c10::ivalue::Object& object) {
  const auto wanted = jit::toIValue(condition->node()->input(1));
  const auto slot =
      object.type()->findAttributeSlot(condition->node()->input(0)->node()->s(c10::attr::name));
  if (!wanted || !slot) {
    return std::nullopt;
  }
  const auto& container = object.getSlot(*slot);
  if (container.isGenericDict()) {
    return container.toGenericDict().contains(*wanted);
  }
  const bool is_plain = wanted->isString() || wanted->isInt();
  if (!container.isList() || !is_plain) {
    return std::nullopt;
  }
  const auto entries = container.toListRef();
  return std::find(entries.begin(), entries.end(), *wanted) != entries.end();
}

}  // namespace actswap
