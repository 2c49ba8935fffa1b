// The part of LabelledRun that runs code.
#include <actswap/base/error.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/graph/input_layout.h>
#include <actswap/graph/walk.h>
#include <actswap/prune/labelled_run.h>
#include <actswap/prune/operator_rules.h>
#include <actswap/prune/tensors_in.h>
#include <actswap/run/random_numbers.h>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

namespace actswap {

namespace jit = torch::jit;

namespace {

bool holds_tensors(const c10::TypePtr& type) {
  if (const auto optional = type->cast<c10::OptionalType>()) {
    return holds_tensors(optional->getElementType());
  }
  if (const auto list = type->cast<c10::ListType>()) {
    return holds_tensors(list->getElementType());
  }
  return type->kind() == c10::TypeKind::TensorType;
}

// Otherwise it puts them into lists and the like.
bool computes_with_tensors(const jit::Node* node) {
  const auto* schema = node->maybeSchema();
  return node->kind() == c10::prim::CallMethod || node->kind() == c10::prim::CallFunction ||
         (schema != nullptr && std::any_of(schema->arguments().begin(), schema->arguments().end(),
                                           [](const c10::Argument& argument) {
                                             return holds_tensors(argument.type());
                                           }));
}

}  // namespace

void LabelledRun::run(const std::vector<torch::Tensor>& inputs) {
  const RandomNumbers callers_stay(0);
  const torch::NoGradGuard without_gradients;
  std::vector<Cell> arguments = {{module_._ivalue()}};
  auto& method = jit::toGraphFunction(module_.get_method("forward").function());
  const auto& declared = method.getSchema().arguments();
  for (const auto& value : InputLayout(module_).complete(inputs)) {
    arguments.push_back({value});
  }
  // A caller may give another number, and None or no None: other branches are taken then.
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    auto& argument = arguments[i];
    argument.is_argument = true;
    argument.is_given = !argument.value.isTensor();
    argument.is_dynamic =
        argument.is_given || declared[i].type()->kind() == c10::TypeKind::OptionalType;
  }
  if (!inputs.empty() && inputs[0].dim() > 0) {
    examples_ = static_cast<double>(std::max<std::int64_t>(inputs[0].size(0), 1));
  }
  const std::string root;
  Frame frame{.graph = method.graph().get(),
              .method_graph = method.graph().get(),
              .object = &root,
              .method = "forward"};
  for (const auto& output : run_graph(frame, arguments)) {
    freeze_all(output.value, "is an output of the model");
  }
}

std::vector<LabelledRun::Cell> LabelledRun::run_graph(Frame& frame,
                                                      const std::vector<Cell>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    frame.cells[frame.graph->inputs().at(i)] = arguments[i];
  }
  run_block(frame, frame.graph->block());
  std::vector<Cell> outputs;
  for (const jit::Value* output : frame.graph->outputs()) {
    outputs.push_back(frame.cells.at(output));
  }
  return outputs;
}

void LabelledRun::run_block(Frame& frame, const jit::Block* block) {
  for (const jit::Node* node : block->nodes()) {
    run_node(frame, const_cast<jit::Node*>(node));
  }
}

void LabelledRun::run_node(Frame& frame, jit::Node* node) {
  const auto value_of = [&](std::size_t i) -> const c10::IValue& {
    return frame.cells.at(node->input(i)).value;
  };
  if (node->kind() == c10::prim::Constant) {
    if (const auto value = jit::toIValue(node->output())) {
      frame.cells[node->output()] = {*value};
    }
  } else if (node->kind() == c10::prim::GetAttr) {
    const auto& name = node->s(c10::attr::name);
    auto& cell = frame.cells[node->output()] = {value_of(0).toObject()->getAttr(name)};
    cell.is_given = changing_attributes_.contains(name);
    // The model may be trained without its units, which takes the other branches.
    cell.is_dynamic = cell.is_given || name == "training";
  } else if (node->kind() == c10::prim::SetAttr) {
    freeze_all(value_of(1), "is stored in an attribute");
    value_of(0).toObject()->setAttr(node->s(c10::attr::name), value_of(1));
  } else if (node->kind() == c10::prim::If) {
    run_if(frame, node);
  } else if (node->kind() == c10::prim::Loop) {
    run_loop(frame, node);
  } else if (node->kind() == c10::prim::CallMethod || node->kind() == c10::prim::CallFunction) {
    run_call(frame, node);
  } else if (node->kind() == c10::prim::fork) {
    run_fork(frame, node);
  } else if (node->kind() == c10::prim::Enter || node->kind() == c10::prim::Exit) {
    frame.cells[node->output()] = {};  // no_grad, autocast: nothing for labels
  } else {
    run_operator(frame, node);
  }
}

void LabelledRun::run_call(Frame& frame, jit::Node* node) {
  const bool is_method = node->kind() == c10::prim::CallMethod;
  jit::Function* function = nullptr;
  Frame inner{.caller = &frame, .call = node, .first_argument = is_method ? 0U : 1U};
  if (is_method) {
    const auto object = frame.cells.at(node->input(0)).value.toObject();
    inner.method = node->s(c10::attr::name);
    function = object->type()->findMethod(inner.method);
    const auto path = paths_.find(object.get());
    inner.object = path == paths_.end() ? nullptr : &path->second;
  } else {
    function = node->input(0)->type()->expectRef<c10::FunctionType>().function();
    inner.function = function->qualname().qualifiedName();
  }
  auto* code = function == nullptr ? nullptr : jit::tryToGraphFunction(*function);
  if (code == nullptr) {
    run_operator(frame, node);
    return;
  }
  inner.graph = inner.method_graph = code->graph().get();
  std::vector<Cell> arguments;
  for (std::size_t i = inner.first_argument; i < node->inputs().size(); ++i) {
    arguments.push_back(frame.cells.at(node->input(i)));
  }
  const auto outputs = run_graph(inner, arguments);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    frame.cells[node->output(i)] = outputs[i];
  }
}

// At once, in the place of the fork.
void LabelledRun::run_fork(Frame& frame, jit::Node* node) {
  const auto graph = forked_graph(node);
  Frame inner{.caller = &frame,
              .call = node,
              .graph = graph.get(),
              .method_graph = frame.method_graph,
              .object = frame.object,
              .method = frame.method};
  std::vector<Cell> arguments;
  for (const jit::Value* input : node->inputs()) {
    arguments.push_back(frame.cells.at(input));
  }
  const auto outputs = run_graph(inner, arguments);
  const auto future = c10::make_intrusive<c10::ivalue::Future>(graph->outputs().at(0)->type());
  future->markCompleted(outputs.at(0).value);
  frame.cells[node->output()] = {future, outputs[0].is_dynamic, outputs[0].is_sized};
}

std::vector<c10::IValue> LabelledRun::execute(jit::Node* node, std::vector<c10::IValue> inputs) {
  auto& code = codes_[node];
  if (code == nullptr) {
    auto graph = std::make_shared<jit::Graph>();
    std::vector<jit::Value*> given;
    for (const jit::Value* input : node->inputs()) {
      given.push_back(graph->addInput()->setType(input->type()));
    }
    jit::Node* copy = graph->createClone(node, [&](jit::Value* value) {
      const auto found = std::find(node->inputs().begin(), node->inputs().end(), value);
      return given.at(static_cast<std::size_t>(found - node->inputs().begin()));
    });
    for (std::size_t i = 0; i < given.size(); ++i) {
      copy->replaceInput(i, given[i]);
    }
    graph->appendNode(copy);
    for (jit::Value* output : copy->outputs()) {
      graph->registerOutput(output);
    }
    code = std::make_unique<jit::Code>(graph, "actswap_labels");
  }
  jit::Stack stack = std::move(inputs);
  try {
    jit::InterpreterState(*code).run(stack);
  } catch (const std::exception& error) {
    throw UsageError("The model does not accept the inputs: " + libtorch_cause(error.what()));
  }
  return stack;
}

// What the inputs of a node say of a number that is computed from them.
LabelledRun::Cell LabelledRun::merged_inputs(const Frame& frame, const jit::Node* node) {
  Cell merged;
  for (const jit::Value* input : node->inputs()) {
    const auto& cell = frame.cells.at(input);
    merged.is_dynamic = merged.is_dynamic || cell.is_dynamic;
    merged.is_sized = merged.is_sized || cell.is_sized;
    merged.is_given = merged.is_given || cell.is_given;
    merged.is_chosen = merged.is_chosen || cell.is_chosen;
    for (const auto& size : cell.channels) {
      if (std::ranges::find(merged.channels, size) == merged.channels.end()) {
        merged.channels.push_back(size);
      }
    }
  }
  return merged;
}

void LabelledRun::run_operator(Frame& frame, jit::Node* node) {
  OperatorCall call{.node = node};
  bool has_values = false;  // tensors that are not computed from numbers of the code alone
  for (const jit::Value* input : node->inputs()) {
    const auto& cell = frame.cells.at(input);
    const bool is_tensors = cell.value.isTensor() || cell.value.isTensorList();
    call.inputs.push_back(cell.value);
    call.shapes.push_back(is_tensors ? shapes_in(cell.value) : std::vector<LabelledShape>());
    has_values = has_values || (is_tensors && !whole_number(cell.value) && cell.channels.empty());
  }
  frame_ = &frame;
  counted_.clear();
  auto number = merged_inputs(frame, node);
  if (count_comparison(frame, call) || call.name() == "len") {
    number.channels.clear();  // it stays the same without some of them
  }
  call.outputs = execute(node, call.inputs);
  follow(frame, call, has_values, number);
  if (has_values) {
    freeze_sizes_in_values(frame, call);
  }
  for (std::size_t i = 0; i < node->outputs().size(); ++i) {
    frame.cells[node->output(i)] = output_cell(frame, call, i, has_values, number);
  }
  note_sizes(frame, call);
  note_factor(frame, call);
}

// Labels the outputs, and says of what they depend on if they are numbers.
void LabelledRun::follow(const Frame& frame, const OperatorCall& call, bool has_values,
                         Cell& number) {
  const auto* node = call.node;
  const auto name = call.name();
  if (name == "size") {
    // That of a dimension with labels follows from the weights.
    const auto& shape = call.shape();
    const bool of_weights =
        shape.is_weight ||
        (call.inputs.size() > 1 &&
         std::any_of(shape.arrays.begin(), shape.arrays.end(), [&](const at::Tensor& array) {
           return counts_labels(array, shape.wrap(call.inputs[1].toInt()));
         }));
    number.is_sized = true;
    number.is_dynamic = number.is_dynamic || !of_weights;
  } else if (name == "len" && frame.cells.at(node->input(0)).sizes_of != nullptr) {
    number.is_sized = number.is_dynamic = false;  // how many dimensions there are
  } else if (name == "numel" || (name == "len" && call.is_tensor(0))) {
    number.is_sized = number.is_dynamic = true;
  } else if ((name == "__is__" || name == "__isnot__") && are_two_arguments(frame, node)) {
    number.is_dynamic = true;  // a caller may give one tensor for both
  } else if (computes_with_tensors(node) && !asks_for_form(name)) {
    if (!follows_rule(call)) {
      freeze_unknown(call);
    }
    number.is_dynamic = number.is_dynamic || has_values;
    number.is_chosen = number.is_chosen || has_values;
  }
}

// Of an operator without a rule.
void LabelledRun::freeze_unknown(const OperatorCall& call) {
  const bool has_labels = std::ranges::any_of(call.shapes, [](const auto& shapes) {
    return std::ranges::any_of(shapes, [](const auto& shape) { return !shape.arrays.empty(); });
  });
  if (!has_labels) {
    return;
  }
  const auto reason = "its channels cannot be followed through " + call.name();
  for (const auto& input : call.inputs) {
    for (const auto& shape : shapes_in(input)) {
      algebra_.freeze(shape, reason);
      if (shape.source >= 0) {
        sources_[static_cast<std::size_t>(shape.source)].unknown = reason;
      }
    }
  }
}

LabelledRun::Cell LabelledRun::output_cell(const Frame& frame, const OperatorCall& call,
                                           std::size_t i, bool has_values, const Cell& number) {
  const auto& value = call.outputs.at(i);
  const bool is_number = !value.isTensor() || whole_number(value) || !has_values;
  const bool is_list = value.isTensorList();
  Cell cell = {.value = value};
  if (is_number) {
    cell.is_sized = number.is_sized;
  }
  if (is_number && !is_list) {
    cell.is_dynamic = number.is_dynamic;
    cell.is_given = number.is_given;
    cell.is_chosen = number.is_chosen;
  }
  if (is_number && !(is_list && has_values)) {
    cell.channels = number.channels;
  }
  cell.is_argument = std::ranges::any_of(call.node->inputs(), [&](const jit::Value* input) {
    const auto& given = frame.cells.at(input);  // x.contiguous() may be x
    return given.is_argument && given.value.isTensor() && given.value.is(value);
  });
  return cell;
}

bool LabelledRun::are_two_arguments(const Frame& frame, const jit::Node* node) {
  const auto& a = frame.cells.at(node->input(0));
  const auto& b = frame.cells.at(node->input(1));
  return a.is_argument && b.is_argument && a.value.isTensor() && b.value.isTensor() &&
         !a.value.is(b.value);
}

// An unusual use of an operator may not fit its rule.
bool LabelledRun::follows_rule(const OperatorCall& call) {
  try {
    return apply_rule(call, *this);
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace actswap
