#include <actswap/base/error.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/calibrate/program.h>
#include <actswap/graph/blend.h>
#include <actswap/graph/flatten.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include <algorithm>

namespace actswap {

namespace jit = torch::jit;

namespace {

// Both graphs are copies of one, node for node.
jit::Value* counterpart(const jit::Value* value, jit::Graph& in) {
  if (value->node()->kind() == c10::prim::Param) {
    return in.inputs().at(value->offset());
  }
  const auto nodes = value->owningGraph()->nodes();
  auto other = in.nodes().begin();
  for (auto node = nodes.begin(); *node != value->node(); ++node) {
    ++other;
  }
  return (*other)->outputs().at(value->offset());
}

// A program that ends where the values are known. They are copied, since what comes after may write
// to them.
std::shared_ptr<jit::Graph> up_to(const std::vector<const jit::Value*>& values,
                                  jit::Graph& program) {
  auto graph = program.copy();
  std::vector<jit::Value*> wanted;
  for (const auto* value : values) {
    wanted.push_back(counterpart(value, *graph));
  }
  while (!graph->outputs().empty()) {
    graph->eraseOutput(0);
  }
  for (jit::Value* value : wanted) {
    const bool is_input = value->node()->kind() == c10::prim::Param;
    const jit::WithInsertPoint guard(is_input ? *graph->nodes().begin() : value->node()->next());
    graph->registerOutput(graph->insert(c10::aten::clone, {value}));
  }
  jit::EliminateDeadCode(graph);
  return graph;
}

std::vector<torch::Tensor> run_graph(jit::Graph& program, const jit::Module& module,
                                     const std::vector<const jit::Value*>& values,
                                     const std::vector<torch::Tensor>& inputs) {
  const torch::NoGradGuard no_grad;
  jit::Stack stack = {module._ivalue()};
  for (const auto& input : inputs) {
    stack.emplace_back(input.clone());
  }
  const jit::Code code(up_to(values, program), "actswap_probe");
  try {
    jit::InterpreterState(code).run(stack);
  } catch (const std::exception& error) {
    throw UsageError("The model does not accept the inputs: " + libtorch_cause(error.what()));
  }
  std::vector<torch::Tensor> tensors;
  for (const auto& value : stack) {
    tensors.push_back(value.toTensor());
  }
  return tensors;
}

void own_constants(jit::Graph& graph) {
  for_each_node(graph.block(), [](jit::Node* node) {
    if (node->kind() == c10::prim::Constant && node->hasAttribute(c10::attr::value) &&
        node->kindOf(c10::attr::value) == jit::AttributeKind::t) {
      node->t_(c10::attr::value, node->t(c10::attr::value).clone());
    }
  });
}

}  // namespace

Program::Program(const jit::Module& blended)
    : module_(blended),
      original_(blended.deepcopy()),
      graph_(flatten(blended)),
      original_graph_(graph_->copy()) {
  own_constants(*original_graph_);
  for_each_blend(original_, [](jit::Module& blend) { blend.setattr("t", 0.0); });
}

std::vector<torch::Tensor> Program::run(const std::vector<const jit::Value*>& values,
                                        const std::vector<torch::Tensor>& inputs) const {
  return run_graph(*graph_, module_, values, inputs);
}

std::vector<torch::Tensor> Program::run_original(const std::vector<const jit::Value*>& values,
                                                 const std::vector<torch::Tensor>& inputs) const {
  return run_graph(*original_graph_, original_, values, inputs);
}

}  // namespace actswap
