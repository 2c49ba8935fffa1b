#include <actswap/graph/blend.h>
#include <actswap/graph/flatten.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/lower_tuples.h>
#include <torch/csrc/jit/passes/peephole.h>

namespace actswap {

namespace jit = torch::jit;

namespace {

// Each pass makes constants that let the other fold more: a branch on the length of a list, say.
// Two copies of a model are equal only once nothing is left to fold.
constexpr int kRounds = 16;

void inline_calls(jit::Block* block) {
  for_each_node(block, [](jit::Node* node) {
    auto* callee = callee_of(node);
    if (callee == nullptr || is_blend_call(node)) {
      return;
    }
    const auto body = callee->graph()->copy();
    inline_calls(body->block());
    if (node->kind() == c10::prim::CallFunction) {
      node->removeInput(0);
    }
    jit::inlineCallTo(node, callee, body.get());
  });
}

void fix_eval_mode(jit::Graph& graph) {
  for_each_node(graph.block(), [&](jit::Node* node) {
    if (node->kind() == c10::prim::GetAttr && node->s(c10::attr::name) == "training") {
      const jit::WithInsertPoint guard(node);
      node->output()->replaceAllUsesWith(node->owningGraph()->insertConstant(false));
      node->destroy();
    }
  });
}

}  // namespace

void fold(std::shared_ptr<jit::Graph> graph) {
  bool is_changed = true;
  for (int round = 0; is_changed && round < kRounds; ++round) {
    is_changed = jit::ConstantPropagation(graph);
    is_changed = jit::PeepholeOptimize(graph) || is_changed;
    jit::LowerSimpleTuples(graph);
  }
  jit::EliminateDeadCode(graph);
}

bool is_blend_call(const jit::Node* node) {
  const auto type = node->kind() == c10::prim::CallMethod
                        ? node->input(0)->type()->cast<c10::ClassType>()
                        : nullptr;
  return type != nullptr && is_blend(type);
}

std::shared_ptr<jit::Graph> flatten(const jit::Module& module) {
  auto graph = jit::toGraphFunction(module.get_method("forward").function()).graph()->copy();
  inline_calls(graph->block());
  fix_eval_mode(*graph);
  fold(graph);
  return graph;
}

}  // namespace actswap
