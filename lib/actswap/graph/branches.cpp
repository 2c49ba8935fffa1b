#include <actswap/base/error.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/graph/branches.h>
#include <actswap/graph/flatten.h>
#include <actswap/graph/kept_state.h>
#include <actswap/graph/model.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include <optional>
#include <set>

namespace actswap {

namespace jit = torch::jit;

namespace {

using Inputs = std::vector<std::vector<c10::IValue>>;

// Parameters ask for a gradient as long as this lives.
class RequireGradients {
 public:
  explicit RequireGradients(const jit::Module& module) {
    for (const auto& parameter : distinct_parameters(module)) {
      if (parameter.is_floating_point() && parameter.is_leaf() && !parameter.requires_grad()) {
        parameter.set_requires_grad(true);
        changed_.push_back(parameter);
      }
    }
  }
  RequireGradients(const RequireGradients&) = delete;
  RequireGradients& operator=(const RequireGradients&) = delete;
  ~RequireGradients() {
    for (const auto& parameter : changed_) {
      parameter.set_requires_grad(false);
    }
  }

 private:
  std::vector<torch::Tensor> changed_;
};

bool holds_any(jit::Node* node, const std::function<bool(const jit::Node*)>& matters) {
  bool found = false;
  for (jit::Block* block : node->blocks()) {
    for_each_node(block, [&](const jit::Node* inner) { found = found || matters(inner); });
  }
  return found;
}

// Takes all as soon as one matters, because they may depend on each other: an inner branch may test
// a value that an outer one computes.
std::vector<jit::Node*> branches_of(jit::Graph& graph,
                                    const std::function<bool(const jit::Node*)>& matters,
                                    const std::set<const jit::Node*>& undecided) {
  std::vector<jit::Node*> found;
  bool is_worth_it = false;
  for (jit::Node* node : graph.nodes()) {
    if (node->kind() == c10::prim::If && !undecided.contains(node)) {
      found.push_back(node);
      is_worth_it = is_worth_it || holds_any(node, matters);
    }
  }
  return is_worth_it ? found : std::vector<jit::Node*>();
}

// The conditions of these, and nothing else.
std::shared_ptr<jit::Graph> conditions_of(const std::shared_ptr<jit::Graph>& graph,
                                          const std::vector<jit::Node*>& branches) {
  const auto outputs = graph->outputs().size();
  for (jit::Node* branch : branches) {
    graph->registerOutput(branch->input(0));
  }
  auto found = graph->copy();
  for (std::size_t i = 0; i < branches.size(); ++i) {
    graph->eraseOutput(graph->outputs().size() - 1);
  }
  for (std::size_t i = 0; i < outputs; ++i) {
    found->eraseOutput(0);
  }
  jit::EliminateDeadCode(found);
  return found;
}

jit::Stack run(const jit::Code& code, const jit::Module& module,
               const std::vector<c10::IValue>& inputs) {
  const torch::AutoGradMode with_gradients(true);
  const KeptState kept(module);
  jit::Stack stack = {module._ivalue()};
  for (const auto& input : inputs) {
    stack.push_back(input.deepcopy());
  }
  try {
    jit::InterpreterState(code).run(stack);
  } catch (const std::exception& error) {
    throw UsageError("The model does not accept the inputs: " + libtorch_cause(error.what()));
  }
  return stack;
}

// The branch that all inputs take; none where they differ.
std::vector<std::optional<bool>> taken_by_all(const std::shared_ptr<jit::Graph>& graph,
                                              const jit::Module& module, const Inputs& inputs,
                                              const std::vector<jit::Node*>& branches) {
  const jit::Code code(conditions_of(graph, branches), "actswap_branches");
  std::vector<std::optional<bool>> taken(branches.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto conditions = run(code, module, inputs[i]);
    for (std::size_t j = 0; j < branches.size(); ++j) {
      const bool now = conditions.at(j).toBool();
      taken[j] = i == 0 || taken[j] == now ? std::optional(now) : std::nullopt;
    }
  }
  return taken;
}

void take_out(jit::Node* branch, bool condition) {
  jit::Block* block = branch->blocks()[condition ? 0 : 1];
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    jit::Node* node = *it++;
    node->moveBefore(branch);
  }
  for (std::size_t i = 0; i < branch->outputs().size(); ++i) {
    branch->output(i)->replaceAllUsesWith(block->outputs()[i]);
  }
  branch->destroy();
}

}  // namespace

// What stands in a branch may be a branch again: round after round.
bool take_branches(const std::shared_ptr<jit::Graph>& graph, const jit::Module& module,
                   const Inputs& inputs, const std::function<bool(const jit::Node*)>& matters) {
  const RequireGradients require_gradients(module);
  std::set<const jit::Node*> undecided;
  bool has_taken = false;
  for (;;) {
    const auto branches = branches_of(*graph, matters, undecided);
    if (branches.empty() || inputs.empty()) {
      return has_taken;
    }
    const auto taken = taken_by_all(graph, module, inputs, branches);
    for (std::size_t i = 0; i < branches.size(); ++i) {
      if (taken[i]) {
        take_out(branches[i], *taken[i]);
        has_taken = true;
      } else {
        undecided.insert(branches[i]);
      }
    }
    fold(graph);
  }
}

}  // namespace actswap
