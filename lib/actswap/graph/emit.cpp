#include <actswap/graph/emit.h>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/jit.h>
#include <torch/script.h>

#include <algorithm>
#include <string>

namespace actswap {

namespace jit = torch::jit;

jit::Value* emit_activation(const ActivationSpec& activation, jit::Value* x, jit::Node* where) {
  const auto unit = jit::compile("def f(x: Tensor) -> Tensor:\n    return " +
                                 activation.inference_torchscript() + "\n");
  const auto& function = jit::toGraphFunction(unit->get_function("f"));
  const jit::WithInsertPoint guard(where);
  return jit::insertGraph(*where->owningGraph(), *function.graph(), {x}).at(0);
}

jit::Value* emit_activation_in_place(const ActivationSpec& activation, jit::Value* x,
                                     jit::Node* where) {
  jit::Value* apart = emit_activation(activation, x, where);
  if (apart == x) {  // the activation changes nothing
    return x;
  }
  jit::Node* node = apart->node();
  const auto is_constant = [](const jit::Value* value) {
    return value->node()->kind() == c10::prim::Constant;
  };
  const auto others = node->inputs().slice(1);
  if (node->input(0) != x || !std::all_of(others.begin(), others.end(), is_constant)) {
    return apart;
  }
  jit::Node* over = where->owningGraph()->create(
      c10::Symbol::fromQualString(std::string(node->kind().toQualString()) + "_"), node->inputs());
  over->insertAfter(node);
  if (over->maybeOperator() == nullptr) {
    over->destroy();
    return apart;
  }
  over->copyMetadata(node);
  over->output()->copyMetadata(apart);
  apart->replaceAllUsesWith(over->output());
  node->destroy();
  return over->output();
}

}  // namespace actswap
