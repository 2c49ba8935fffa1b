#include <actswap/base/error.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/calibrate/copy_values.h>
#include <actswap/calibrate/einsum_layers.h>
#include <actswap/calibrate/layer_forms.h>
#include <actswap/calibrate/node_kinds.h>
#include <actswap/calibrate/program.h>
#include <actswap/graph/blend.h>
#include <actswap/graph/branches.h>
#include <actswap/graph/flatten.h>
#include <actswap/graph/gradients.h>
#include <actswap/graph/input_layout.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include <algorithm>
#include <functional>

namespace actswap {

namespace jit = torch::jit;

namespace {

// If a loop or branch has one output with one reader, LibTorch's interpreter runs it after loading
// that reader's other operands, which may have used up a value that it still needs. A second reader
// prevents that.
void keep_order(jit::Graph& graph) {
  for_each_node(graph.block(), [&](jit::Node* node) {
    if (node->owningGraph() == &graph && !node->blocks().empty() && node->outputs().size() == 1 &&
        node->output()->uses().size() == 1) {
      const jit::WithInsertPoint guard(node->next());
      graph.insert(c10::aten::__is__, {node->output(), node->output()});
    }
  });
}

std::shared_ptr<jit::Graph> flat_forward(const jit::Module& blended) {
  auto graph = flatten(blended);
  einsums_to_linear_layers(*graph);
  return graph;
}

}  // namespace

Program::Side::Side(jit::Module blended, std::shared_ptr<jit::Graph> flat)
    : module(std::move(blended)), graph(std::move(flat)) {
  nodes.assign(graph->nodes().begin(), graph->nodes().end());
}

Program::Flat Program::flat(const jit::Module& blended, const Batches& batches) {
  std::vector<std::vector<c10::IValue>> inputs;
  inputs.reserve(batches.size());
  const InputLayout layout(blended);
  for (const auto& batch : batches) {
    inputs.push_back(layout.complete(batch));
  }
  const auto graph = flat_forward(blended);
  const bool has_taken = take_branches(graph, blended, inputs, [](const jit::Node* node) {
    return is_blend_call(node) || may_be_layer(node);
  });
  return {graph, has_taken};
}

Program::Program(const jit::Module& blended, const Batches& batches)
    : Program(blended, blended.deepcopy(), flat(blended, batches)) {}

Program::Program(const jit::Module& blended, const jit::Module& copy, const Flat& flat)
    : sides_{Side(blended, flat.graph), Side(copy, flat.graph->copy())},
      is_for_these_inputs_(flat.is_for_these_inputs) {
  for_each_blend(sides_[1].module, [](jit::Module& blend) { blend.setattr("t", 0.0); });
  // A copy of a module shares its code, and the constants in it.
  for (jit::Node* node : sides_[1].nodes) {
    if (is_tensor_constant(node)) {
      node->t_(c10::attr::value, node->t(c10::attr::value).clone());
    }
  }
  set_up();
}

Program::Program(const jit::Module& blended, const jit::Module& original, const Batches& batches)
    : Program(blended, flat(blended, batches), original, flat(original, batches)) {}

Program::Program(const jit::Module& blended, const Flat& flat_blended, const jit::Module& original,
                 const Flat& flat_original)
    : sides_{Side(blended, flat_blended.graph), Side(original, flat_original.graph)},
      is_for_these_inputs_(flat_blended.is_for_these_inputs) {
  set_up();
}

void Program::set_up() {
  for (const auto& side : sides_) {
    for_each_node(side.graph->block(), [&](jit::Node* node) {
      if (node->kind() == c10::prim::SetAttr) {
        set_attributes_.insert(node->s(c10::attr::name));
      }
    });
  }
  pair_up();
  for (const auto& side : sides_) {
    std::size_t position = 0;
    for (jit::Node* node : side.graph->nodes()) {
      positions_.emplace(node, position);
      position += position < side.nodes.size() && side.nodes[position] == node ? 1 : 0;
    }
  }
  takes_gradients_ = actswap::takes_gradients(graph());
}

// If one side lost units, its code may hold constants for numbers that the other computes.
void Program::pair_up() {
  if (pair_nodes()) {
    return;
  }
  makes_numbers_anew_ = true;
  originals_.clear();
  for (auto& side : sides_) {
    std::erase_if(side.nodes, [this](const jit::Node* node) { return is_made_anew(node); });
  }
  if (!pair_nodes()) {
    throw UsageError(
        "Expected an original with blends at the same places, all at t = 0, but its code differs; "
        "make it by a Retargeter with the same plan");
  }
}

// Value by value. @return false where the code of the two sides differs
bool Program::pair_nodes() {
  const auto pair = [this](at::ArrayRef<jit::Value*> ours, at::ArrayRef<jit::Value*> theirs) {
    if (ours.size() != theirs.size()) {
      return false;
    }
    for (std::size_t i = 0; i < ours.size(); ++i) {
      originals_.emplace(ours[i], theirs[i]);
    }
    return true;
  };
  const auto& [ours, theirs] = sides_;
  bool fits = ours.nodes.size() == theirs.nodes.size() &&
              pair(ours.graph->inputs(), theirs.graph->inputs());
  for (std::size_t i = 0; fits && i < ours.nodes.size(); ++i) {
    fits = ours.nodes[i]->kind() == theirs.nodes[i]->kind() &&
           pair(ours.nodes[i]->outputs(), theirs.nodes[i]->outputs());
  }
  return fits;
}

std::size_t Program::position(const jit::Node* node) const {
  while (node->owningBlock() != node->owningGraph()->block()) {
    node = node->owningBlock()->owningNode();
  }
  const auto found = positions_.find(node);
  return found == positions_.end() ? sides_[0].nodes.size() : found->second;  // unknown: the end
}

// Whether the node gives a constant, or a part of the module that no code changes, which any piece
// can make anew. So can it a transposed matrix, which must follow the fitted matrix.
bool Program::is_free(const jit::Node* node) const {
  return node->kind() == c10::prim::Constant ||
         (is_transpose(node) && is_free(node->input(0)->node())) ||
         (node->kind() == c10::prim::GetAttr && !sets(node->s(c10::attr::name)) &&
          (node->input(0) == node->owningGraph()->inputs()[0] || is_free(node->input(0)->node())));
}

// Whether a piece that needs it makes it from alive values.
bool Program::is_made_anew(const jit::Node* node) const {
  return is_free(node) || (makes_numbers_anew_ && gives_numbers(node));
}

// Also by way of what is made anew.
bool Program::is_used_from(const jit::Value* value, std::size_t position) const {
  const auto& uses = value->uses();
  return std::any_of(uses.begin(), uses.end(), [&](const jit::Use& use) {
    if (this->position(use.user) >= position) {
      return true;
    }
    const auto outputs = use.user->outputs();
    return makes_numbers_anew_ && use.user->owningBlock() == value->owningGraph()->block() &&
           is_made_anew(use.user) &&
           std::any_of(outputs.begin(), outputs.end(),
                       [&](const jit::Value* output) { return is_used_from(output, position); });
  });
}

std::vector<const jit::Value*> Program::alive(std::size_t position) const {
  std::vector<const jit::Value*> found;
  const auto add = [&](const jit::Value* value) {
    if (is_used_from(value, position) ||
        (makes_numbers_anew_ && is_used_from(originals_.at(value), position))) {
      found.push_back(value);
    }
  };
  for (const jit::Value* input : graph().inputs().slice(1)) {
    add(input);
  }
  for (std::size_t i = 0; i < position; ++i) {
    const auto* node = sides_[0].nodes[i];
    if (!is_made_anew(node)) {
      for (const jit::Value* output : node->outputs()) {
        add(output);
      }
    }
  }
  return found;
}

std::vector<c10::IValue> Program::beginning(const std::vector<torch::Tensor>& inputs) const {
  const auto values = layout_.complete(inputs);
  std::vector<c10::IValue> found;
  for (const auto* value : alive(0)) {
    found.push_back(values.at(value->offset() - 1));
  }
  return found;
}

jit::Value* Program::on_side_of(Which model, const jit::Value* value) const {
  return model == Which::fitted ? const_cast<jit::Value*>(value) : originals_.at(value);
}

Program::Piece Program::piece(Which model, std::size_t from,
                              const std::vector<Moment>& moments) const {
  const auto& side = sides_[model == Which::fitted ? 0 : 1];
  auto graph = std::make_shared<jit::Graph>();
  std::unordered_map<const jit::Value*, jit::Value*> known;
  const auto add_input = [&](const jit::Value* value) {
    known[value] = graph->addInput()->setType(value->type());
  };
  add_input(side.graph->inputs()[0]);
  for (const auto* value : alive(from)) {
    add_input(on_side_of(model, value));
  }
  std::function<jit::Value*(jit::Value*)> copy_of;
  const auto append = [&](jit::Node* node) {
    jit::Node* copy = graph->appendNode(graph->createClone(node, copy_of));
    for (std::size_t i = 0; i < node->outputs().size(); ++i) {
      known[node->output(i)] = copy->output(i);
    }
  };
  copy_of = [&](jit::Value* value) {
    if (!known.contains(value)) {
      TORCH_CHECK(is_made_anew(value->node()),
                  "a value was asked for that is not alive: ", value->debugName());
      append(value->node());
    }
    return known.at(value);
  };
  std::size_t end = from;
  for (const auto& moment : moments) {
    TORCH_CHECK(moment.position >= from, "a moment was asked for that is gone");
    end = std::max(end, moment.position);
  }
  const bool is_written =
      std::any_of(side.nodes.begin() + static_cast<std::ptrdiff_t>(from),
                  side.nodes.begin() + static_cast<std::ptrdiff_t>(end), [](jit::Node* node) {
                    bool found = may_write(node);
                    for (jit::Block* block : node->blocks()) {
                      for_each_node(block, [&](jit::Node* inner) { found |= may_write(inner); });
                    }
                    return found;
                  });
  std::vector<jit::Value*> outputs(moments.size());
  for (std::size_t position = from; position <= end; ++position) {
    for (std::size_t i = 0; i < moments.size(); ++i) {
      if (moments[i].position == position) {
        jit::Value* value = copy_of(on_side_of(model, moments[i].value));
        outputs[i] =
            is_written && position < end ? graph->insert(c10::aten::clone, {value}) : value;
      }
    }
    if (position < end && !is_made_anew(side.nodes[position])) {
      append(side.nodes[position]);
    }
  }
  for (jit::Value* output : outputs) {
    graph->registerOutput(output);
  }
  jit::EliminateDeadCode(graph);
  keep_order(*graph);
  return {std::make_unique<jit::Code>(graph, "actswap_piece"), is_written};
}

std::vector<c10::IValue> Program::run(Which model, std::size_t from,
                                      const std::vector<c10::IValue>& alive,
                                      const std::vector<Moment>& moments) {
  const auto key = std::make_tuple(model, from, moments);
  auto found = pieces_.find(key);
  if (found == pieces_.end()) {
    found = pieces_.emplace(key, piece(model, from, moments)).first;
  }
  const auto& [code, is_written] = found->second;
  jit::Stack stack = {sides_[model == Which::fitted ? 0 : 1].module._ivalue()};
  const auto given = is_written ? copy_values(alive) : alive;
  stack.insert(stack.end(), given.begin(), given.end());
  const bool keeps_gradients = torch::GradMode::is_enabled();
  const torch::AutoGradMode gradients(keeps_gradients || takes_gradients_);
  try {
    jit::InterpreterState(*code).run(stack);
  } catch (const std::exception& error) {
    throw UsageError("The model does not accept the inputs: " + libtorch_cause(error.what()));
  }
  for (const auto& value : stack) {
    value.visit([](const c10::IValue& part) {  // what runs beside may still write to the others
      if (part.isFuture()) {
        part.toFuture()->wait();
      }
      return false;
    });
  }
  for (auto& value : stack) {
    if (takes_gradients_ && !keeps_gradients && value.isTensor()) {
      value = value.toTensor().detach();
    }
  }
  return stack;
}

}  // namespace actswap
