#include <actswap/calibrate/node_kinds.h>
#include <actswap/graph/blend.h>

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace actswap {

namespace jit = torch::jit;

namespace {

bool is_dimension(jit::Value* value, std::int64_t a, std::int64_t b) {
  const auto constant = jit::toIValue(value);
  return constant && constant->isInt() && (constant->toInt() == a || constant->toInt() == b);
}

bool is_number(const c10::TypePtr& type) {
  const auto list = type->cast<c10::ListType>();
  const auto element = list ? list->getElementType() : type;
  return element->isSubtypeOf(*c10::NumberType::get()) || element->kind() == c10::BoolType::Kind;
}

bool writes_to_arguments(const jit::Node* node) {
  const auto* schema = node->maybeSchema();
  return schema != nullptr && schema->is_mutable();
}

bool has_writer(const jit::Value* value) {
  const auto& uses = value->uses();
  return std::any_of(uses.begin(), uses.end(),
                     [](const jit::Use& use) { return writes_to_arguments(use.user); });
}

}  // namespace

bool is_tensor_constant(const jit::Node* node) {
  return node->kind() == c10::prim::Constant && node->hasAttribute(c10::attr::value) &&
         node->kindOf(c10::attr::value) == jit::AttributeKind::t;
}

bool is_transpose(const jit::Node* node) {
  static const auto kT = c10::Symbol::aten("t");
  static const auto kNumpyT = c10::Symbol::aten("numpy_T");
  static const auto kMT = c10::Symbol::aten("mT");
  if (node->kind() == kT || node->kind() == kNumpyT || node->kind() == kMT) {
    return true;
  }
  static const auto kTranspose = c10::Symbol::aten("transpose");
  if (node->kind() != kTranspose || node->inputs().size() != 3) {
    return false;
  }
  const auto swaps = [&](std::size_t first, std::size_t second) {
    return is_dimension(const_cast<jit::Value*>(node->input(first)), 0, -2) &&
           is_dimension(const_cast<jit::Value*>(node->input(second)), 1, -1);
  };
  return swaps(1, 2) || swaps(2, 1);
}

bool may_write(const jit::Node* node) {
  if (const auto* schema = node->maybeSchema()) {
    return schema->is_mutable();
  }
  if (node->kind() == c10::prim::CallMethod) {
    const auto type = node->input(0)->type()->cast<c10::ClassType>();
    return type == nullptr || !is_blend(type);
  }
  return node->kind() != c10::prim::Constant && node->kind() != c10::prim::GetAttr &&
         node->kind() != c10::prim::ListConstruct && node->kind() != c10::prim::TupleConstruct &&
         node->kind() != c10::prim::ListUnpack && node->kind() != c10::prim::TupleUnpack &&
         node->kind() != c10::prim::If && node->kind() != c10::prim::Loop;
}

bool gives_numbers(const jit::Node* node) {
  const bool has_rule = node->maybeSchema() != nullptr ||
                        node->kind() == c10::prim::ListConstruct ||
                        node->kind() == c10::prim::ListUnpack;
  const auto outputs = node->outputs();
  if (!has_rule || !node->blocks().empty() || node->hasSideEffects() ||
      node->isNondeterministic() || writes_to_arguments(node) || outputs.empty() ||
      std::any_of(outputs.begin(), outputs.end(), has_writer)) {
    return false;
  }
  if (std::all_of(outputs.begin(), outputs.end(),
                  [](const auto* output) { return is_number(output->type()); })) {
    return true;
  }
  const auto inputs = node->inputs();
  const bool has_tensor = std::any_of(inputs.begin(), inputs.end(), [](const auto* input) {
    return input->type()->isSubtypeOf(*c10::TensorType::get());
  });
  return (has_tensor || node->kind() == c10::prim::NumToTensor) &&
         std::all_of(inputs.begin(), inputs.end(), [](const jit::Value* input) {
           return input->node()->kind() == c10::prim::Constant || gives_numbers(input->node());
         });
}

}  // namespace actswap
