#include <actswap/graph/emit.h>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/jit.h>
#include <torch/script.h>

namespace actswap {

namespace jit = torch::jit;

jit::Value* emit_activation(const ActivationSpec& activation, jit::Value* x, jit::Node* where) {
  const auto unit = jit::compile("def f(x: Tensor) -> Tensor:\n    return " +
                                 activation.inference_torchscript() + "\n");
  const auto& function = jit::toGraphFunction(unit->get_function("f"));
  const jit::WithInsertPoint guard(where);
  return jit::insertGraph(*where->owningGraph(), *function.graph(), {x}).at(0);
}

}  // namespace actswap
