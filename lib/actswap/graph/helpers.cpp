#include <actswap/graph/helpers.h>
#include <actswap/graph/match.h>
#include <actswap/graph/operators.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/api/function_impl.h>

#include <algorithm>
#include <set>

namespace actswap {

namespace jit = torch::jit;

namespace {

// Which call a node was inlined for, counted from 1; others are of the graph itself.
const auto kCall = c10::Symbol::attr("actswap_call");

constexpr int kDepth = 4;  // of calls within calls
constexpr std::size_t kMaximumHelperNodes = 24;

bool is_helper_call(const jit::Node* node, int depth = kDepth);

// if min_val > max_val: raise ValueError(...)
bool only_raises(const jit::Node* branch) {
  const auto blocks = branch->blocks();
  return branch->outputs().empty() &&
         std::all_of(blocks.begin(), blocks.end(), [](const jit::Block* block) {
           return std::all_of(block->nodes().begin(), block->nodes().end(),
                              [](const jit::Node* node) {
                                return node->kind() == c10::prim::Constant ||
                                       node->kind() == c10::prim::RaiseException ||
                                       node->kind() == c10::aten::format;
                              });
         });
}

bool may_be_in_a_helper(jit::Node* node, int depth) {
  const auto kind = node->kind();
  if (kind == c10::prim::If) {
    return match_inplace_branch(node).has_value() || only_raises(node);
  }
  return kind == c10::prim::Constant || kind == c10::prim::GetAttr || aten_operator(node) ||
         is_helper_call(node, depth);
}

bool is_helper_call(const jit::Node* node, int depth) {
  auto* callee = callee_of(node);
  if (callee == nullptr || depth == 0 || node->inputs().size() < 2) {
    return false;
  }
  // The first is the module, or the function, which its own graph does not have.
  auto& graph = *callee->graph();
  const std::size_t arguments =
      node->inputs().size() - (node->kind() == c10::prim::CallMethod ? 0 : 1);
  if (graph.inputs().size() != arguments || graph.outputs().size() != 1 ||
      !graph.outputs()[0]->type()->isSubtypeOf(*c10::TensorType::get())) {
    return false;
  }
  std::size_t count = 0;
  return std::all_of(graph.nodes().begin(), graph.nodes().end(), [&](jit::Node* inner) {
    return ++count <= kMaximumHelperNodes && may_be_in_a_helper(inner, depth - 1);
  });
}

void inline_call(jit::Node* call, std::int64_t number) {
  auto* callee = callee_of(call);
  const auto body = callee->graph()->copy();
  std::vector<jit::Node*> nested;
  for (jit::Node* node : body->nodes()) {
    if (is_helper_call(node)) {
      nested.push_back(node);
    }
  }
  for (jit::Node* node : nested) {
    inline_call(node, number);
  }
  for_each_node(body->block(), [&](jit::Node* node) { node->i_(kCall, number); });
  if (call->kind() == c10::prim::CallFunction) {
    call->removeInput(0);
  }
  jit::inlineCallTo(call, callee, body.get());
}

std::vector<jit::Node*> helper_calls(jit::Graph& graph) {
  std::vector<jit::Node*> calls;
  for_each_node(graph.block(), [&](jit::Node* node) {
    if (node->owningGraph() == &graph && is_helper_call(node)) {
      calls.push_back(node);
    }
  });
  return calls;
}

bool is_arithmetic(const jit::Node* node) {
  static const std::set<std::string> kArithmetic = {"mul", "div",  "true_divide", "add",
                                                    "sub", "rsub", "where",       "addcmul"};
  const auto op = aten_operator(node);
  return op && kArithmetic.contains(op->name);
}

// A module that is one operator, as converters from other formats write them.
bool is_arithmetic_call(const jit::Node* node) {
  if (!is_helper_call(node)) {
    return false;
  }
  const auto nodes = callee_of(node)->graph()->nodes();
  return std::any_of(nodes.begin(), nodes.end(), is_arithmetic);
}

// Where nothing is computed with what a helper gives there is nothing to be made whole.
bool is_computed_with(const jit::Node* call) {
  const auto& uses = call->output()->uses();
  return std::any_of(uses.begin(), uses.end(), [](const jit::Use& use) {
    return is_arithmetic(use.user) || is_arithmetic_call(use.user);
  });
}

std::set<std::int64_t> calls_of(const Match& match) {
  std::set<std::int64_t> calls;
  const auto add = [&](const jit::Node* node) {
    calls.insert(node->hasAttribute(kCall) ? node->i(kCall) : 0);
  };
  add(match.node);
  std::for_each(match.parts.begin(), match.parts.end(), add);
  return calls;
}

}  // namespace

void inline_helpers(jit::Graph& graph) {
  const auto calls = helper_calls(graph);
  if (std::none_of(calls.begin(), calls.end(), is_computed_with)) {
    return;
  }
  const auto trial = graph.copy();
  std::int64_t number = 0;
  for (jit::Node* call : helper_calls(*trial)) {
    inline_call(call, ++number);
  }
  std::set<std::int64_t> needed;
  for (const auto& match : match_all(*trial)) {
    const auto found = calls_of(match);
    if (match.form == SiteForm::pattern && found.size() > 1) {
      needed.insert(found.begin(), found.end());
    }
  }
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (needed.contains(static_cast<std::int64_t>(i) + 1)) {
      inline_call(calls[i], 0);
    }
  }
}

}  // namespace actswap
