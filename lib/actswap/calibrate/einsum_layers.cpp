#include <actswap/calibrate/einsum_layers.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <optional>
#include <string>

namespace actswap {

namespace jit = torch::jit;

namespace {

// Whether the matrix has its outputs first, as in linear; empty if this is no linear layer.
std::optional<bool> has_outputs_first(std::string equation, bool is_matrix_first) {
  std::erase(equation, ' ');
  const auto comma = equation.find(',');
  const auto arrow = equation.find("->");
  if (comma == std::string::npos || arrow == std::string::npos ||
      equation.find(',', comma + 1) != std::string::npos) {
    return std::nullopt;
  }
  auto x = equation.substr(0, comma);
  auto matrix = equation.substr(comma + 1, arrow - comma - 1);
  const auto result = equation.substr(arrow + 2);
  if (is_matrix_first) {
    std::swap(x, matrix);
  }
  if (x.size() < 2 || matrix.size() != 2 || result.empty() || matrix[0] == matrix[1]) {
    return std::nullopt;
  }
  const char in = x.back();
  const char out = result.back();
  const auto front = x.substr(0, x.size() - 1);
  const bool is_linear = in != '.' && out != '.' && in != out &&
                         front.find(in) == std::string::npos &&
                         front.find(out) == std::string::npos && result == front + out;
  const auto has_repeated_letter = [&] {
    auto letters = front;
    std::erase(letters, '.');
    std::sort(letters.begin(), letters.end());
    return std::adjacent_find(letters.begin(), letters.end()) != letters.end();
  };
  if (!is_linear || has_repeated_letter()) {
    return std::nullopt;
  }
  return matrix == std::string{out, in}   ? std::optional(true)
         : matrix == std::string{in, out} ? std::optional(false)
                                          : std::nullopt;
}

bool is_weight(const jit::Value* value) {
  return value->node()->kind() == c10::prim::GetAttr ||
         value->node()->kind() == c10::prim::Constant;
}

}  // namespace

void einsums_to_linear_layers(jit::Graph& graph) {
  static const auto kEinsum = c10::Symbol::aten("einsum");
  for_each_node(graph.block(), [&](jit::Node* node) {
    if (node->kind() != kEinsum) {
      return;
    }
    const auto equation = jit::toIValue(node->input(0));
    jit::Node* operands = node->input(1)->node();
    if (!equation || !equation->isString() || operands->kind() != c10::prim::ListConstruct ||
        operands->inputs().size() != 2 ||
        is_weight(operands->input(0)) == is_weight(operands->input(1))) {
      return;
    }
    const bool is_matrix_first = is_weight(operands->input(0));
    const auto outputs_first = has_outputs_first(equation->toStringRef(), is_matrix_first);
    if (!outputs_first) {
      return;
    }
    const jit::WithInsertPoint guard(node);
    auto& owner = *node->owningGraph();
    jit::Value* weight = operands->input(is_matrix_first ? 0 : 1);
    if (!*outputs_first) {
      weight = owner.insert(c10::aten::t, {weight});
    }
    jit::Value* linear =
        owner.insert(c10::aten::linear, {operands->input(is_matrix_first ? 1 : 0), weight});
    linear->setType(node->output()->type());
    node->output()->replaceAllUsesWith(linear);
    node->destroy();
    if (!operands->hasUses()) {
      operands->destroy();
    }
  });
}

}  // namespace actswap
