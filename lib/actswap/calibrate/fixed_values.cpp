#include <actswap/calibrate/fixed_values.h>
#include <actswap/graph/effects.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/runtime/interpreter.h>
#include <torch/script.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <unordered_map>

namespace actswap {

namespace jit = torch::jit;

namespace {

bool is_written(const jit::Value* value) {
  return std::any_of(value->uses().begin(), value->uses().end(), [](const jit::Use& use) {
    const auto written = effects_of(use.user).written;
    return std::find(written.begin(), written.end(), use.offset) != written.end();
  });
}

// Whose outputs follow from its inputs.
bool is_pure(jit::Node* node) {
  if (node->kind() == c10::prim::Constant || node->kind() == c10::prim::ListConstruct) {
    return true;
  }
  const auto* schema = node->kind().is_aten() ? node->maybeSchema() : nullptr;
  return schema != nullptr && !schema->is_mutable() && node->blocks().empty() &&
         !node->isNondeterministic();
}

}  // namespace

FixedValues::FixedValues(const Program& program) : program_(program) {}

bool FixedValues::is_fixed(const jit::Value* value) const {
  const auto known = known_.find(value);
  if (known != known_.end()) {
    return known->second;
  }
  const bool found = find(value);
  known_.emplace(value, found);
  return found;
}

bool FixedValues::find(const jit::Value* value) const {
  jit::Node* node = const_cast<jit::Node*>(value->node());
  if (is_written(value)) {
    return false;
  }
  if (node->kind() == c10::prim::GetAttr) {
    const auto* object = node->input(0);
    return !program_.sets(node->s(c10::attr::name)) &&
           (object == program_.graph().inputs()[0] || is_fixed(object));
  }
  return is_pure(node) && std::all_of(node->inputs().begin(), node->inputs().end(),
                                      [this](const jit::Value* input) { return is_fixed(input); });
}

torch::Tensor FixedValues::tensor_of(const jit::Value* value) const {
  if (!is_fixed(value)) {
    return {};
  }
  auto graph = std::make_shared<jit::Graph>();
  std::unordered_map<const jit::Value*, jit::Value*> copies;
  const auto* self = program_.graph().inputs()[0];
  copies[self] = graph->addInput()->setType(self->type());
  const std::function<jit::Value*(jit::Value*)> copy_of = [&](jit::Value* original) {
    if (!copies.contains(original)) {
      jit::Node* node = original->node();
      jit::Node* copy = graph->createClone(node, copy_of);
      graph->appendNode(copy);
      for (std::size_t i = 0; i < node->outputs().size(); ++i) {
        copies[node->output(i)] = copy->output(i);
      }
    }
    return copies.at(original);
  };
  graph->registerOutput(copy_of(const_cast<jit::Value*>(value)));
  jit::Stack stack = {program_.module()._ivalue()};
  const torch::NoGradGuard no_grad;
  jit::InterpreterState(jit::Code(graph, "actswap_fixed")).run(stack);
  const auto& found = stack.back();
  if (found.isScalar()) {
    return torch::scalar_tensor(found.toScalar(), torch::kDouble);
  }
  return found.isTensor() ? found.toTensor() : torch::Tensor();
}

}  // namespace actswap
