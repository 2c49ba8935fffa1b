#include <actswap/graph/fixed_mode.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>

#include <map>

namespace actswap {

namespace jit = torch::jit;

// Only a constant mode is fixed: a scripted module reads self.training.
std::optional<bool> fixed_mode(jit::Node* node) {
  // The input that says whether it trains.
  static const std::map<c10::Symbol, std::size_t> kInputs = {
      {c10::aten::batch_norm, 5},
      {c10::aten::dropout, 2},
      {c10::Symbol::aten("dropout_"), 2},
      {c10::Symbol::aten("feature_dropout"), 2},
      {c10::Symbol::aten("feature_dropout_"), 2},
      {c10::Symbol::aten("alpha_dropout"), 2},
      {c10::Symbol::aten("feature_alpha_dropout"), 2}};
  const auto found = kInputs.find(node->kind());
  if (found == kInputs.end() || node->input(found->second)->node()->kind() != c10::prim::Constant) {
    return std::nullopt;
  }
  return jit::constant_as<bool>(node->input(found->second));
}

bool is_always_training(const jit::Module& module) {
  bool found = false;
  for (const auto& type : distinct_types(distinct_modules(module))) {
    for (auto* method : user_methods(type)) {
      if (auto* function = jit::tryToGraphFunction(*method)) {
        for_each_node(function->graph()->block(),
                      [&](jit::Node* node) { found = found || fixed_mode(node).value_or(false); });
      }
    }
  }
  return found;
}

}  // namespace actswap
