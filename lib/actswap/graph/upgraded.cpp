#include <actswap/graph/operators.h>
#include <actswap/graph/upgraded.h>

#include <torch/csrc/jit/ir/constants.h>

namespace actswap {

namespace jit = torch::jit;

namespace {

bool is_division(const jit::Node* node, bool rounds) {
  const auto op = node == nullptr ? std::nullopt : aten_operator(node);
  if (!op || node->inputs().size() != (rounds ? 3 : 2)) {
    return false;
  }
  const auto rounding = rounds ? jit::toIValue(node->input(2)) : std::nullopt;
  return op->name == "div" || op->name == "divide" ? !rounds || (rounding && rounding->isString())
                                                   : op->name == "true_divide" && !rounds;
}

// a.is_floating_point(), or that or b.is_floating_point(), which is an If of its own.
std::vector<jit::Node*> type_condition(jit::Value* condition) {
  static const auto kIsFloat = c10::Symbol::aten("is_floating_point");
  std::vector<jit::Node*> nodes;
  if (condition->node()->kind() == c10::prim::If) {
    nodes.push_back(condition->node());
    condition = condition->node()->input(0);
  }
  nodes.push_back(condition->node());
  return condition->node()->kind() == kIsFloat ? nodes : std::vector<jit::Node*>();
}

}  // namespace

std::optional<UpgradedDivision> upgraded_division(jit::Node* node) {
  if (node->kind() != c10::prim::If || node->outputs().size() != 1) {
    return std::nullopt;
  }
  const auto blocks = node->blocks();
  jit::Node* exact = only_node(blocks[0]);
  jit::Node* rounded = only_node(blocks[1]);
  auto condition = type_condition(node->input(0));
  if (condition.empty() || !is_division(exact, false) || !is_division(rounded, true) ||
      exact->input(0) != rounded->input(0) || exact->input(1) != rounded->input(1) ||
      exact->output() != blocks[0]->outputs()[0] || rounded->output() != blocks[1]->outputs()[0]) {
    return std::nullopt;
  }
  return UpgradedDivision{exact->input(0), exact->input(1), aten_operator(exact)->in_place,
                          std::move(condition)};
}

}  // namespace actswap
