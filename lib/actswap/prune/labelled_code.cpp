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

// Whether it computes with tensors; otherwise it puts them into lists and the like.
bool is_of_tensors(const jit::Node* node) {
  const auto* schema = node->maybeSchema();
  return schema != nullptr &&
         std::any_of(schema->arguments().begin(), schema->arguments().end(),
                     [](const c10::Argument& argument) { return holds_tensors(argument.type()); });
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

void LabelledRun::run_operator(Frame& frame, jit::Node* node) {
  OperatorCall call{.node = node};
  bool is_dynamic = false;
  bool is_sized = false;
  bool is_given = false;
  bool is_chosen = false;
  decltype(Cell::channels) channels;
  bool has_labels = false;
  bool has_values = false;  // tensors that are not computed from numbers of the code alone
  for (const jit::Value* input : node->inputs()) {
    const auto& cell = frame.cells.at(input);
    call.inputs.push_back(cell.value);
    is_dynamic = is_dynamic || cell.is_dynamic;
    is_sized = is_sized || cell.is_sized;
    is_given = is_given || cell.is_given;
    is_chosen = is_chosen || cell.is_chosen;
    for (const auto& size : cell.channels) {
      if (std::find(channels.begin(), channels.end(), size) == channels.end()) {
        channels.push_back(size);
      }
    }
    const bool is_tensors = cell.value.isTensor() || cell.value.isTensorList();
    call.shapes.push_back(is_tensors ? shapes_in(cell.value) : std::vector<LabelledShape>());
    has_values = has_values || (is_tensors && !whole_number(cell.value) && cell.channels.empty());
    for (const auto& shape : call.shapes.back()) {
      has_labels = has_labels || !shape.arrays.empty();
    }
  }
  const auto name = call.name();
  frame_ = &frame;
  counted_.clear();
  if (count_comparison(frame, call) || name == "len") {
    channels.clear();  // it stays the same without some of them
  }
  const bool computes = is_of_tensors(node) || node->kind() == c10::prim::CallMethod ||
                        node->kind() == c10::prim::CallFunction;
  call.outputs = execute(node, call.inputs);
  if (name == "size") {
    // That of a dimension with labels follows from the weights.
    const auto& shape = call.shape();
    const bool of_weights =
        shape.is_weight ||
        (call.inputs.size() > 1 &&
         std::any_of(shape.arrays.begin(), shape.arrays.end(), [&](const at::Tensor& array) {
           return counts_labels(array, shape.wrap(call.inputs[1].toInt()));
         }));
    is_sized = true;
    is_dynamic = is_dynamic || !of_weights;
  } else if (name == "len" && frame.cells.at(node->input(0)).sizes_of != nullptr) {
    is_sized = is_dynamic = false;  // how many dimensions there are
  } else if (name == "numel" || (name == "len" && call.is_tensor(0))) {
    is_sized = is_dynamic = true;
  } else if ((name == "__is__" || name == "__isnot__") && are_two_arguments(frame, node)) {
    is_dynamic = true;  // a caller may give one tensor for both
  } else if (computes && !asks_for_form(name)) {
    if (!follows_rule(call) && has_labels) {
      const auto reason = "its channels cannot be followed through " + name;
      for (const auto& input : call.inputs) {
        for (const auto& shape : shapes_in(input)) {
          algebra_.freeze(shape, reason);
          if (shape.source >= 0) {
            sources_[static_cast<std::size_t>(shape.source)].unknown = reason;
          }
        }
      }
    }
    is_dynamic = is_dynamic || has_values;
    is_chosen = is_chosen || has_values;
  }
  if (has_values) {
    freeze_sizes_in_values(frame, call);
  }
  for (std::size_t i = 0; i < node->outputs().size(); ++i) {
    auto value = call.outputs.at(i);
    const bool is_number = !value.isTensor() || whole_number(value) || !has_values;
    const bool is_list = value.isTensorList();
    auto& cell = frame.cells[node->output(i)];
    cell = {std::move(value), is_number && !is_list && is_dynamic, is_number && is_sized};
    cell.is_argument = std::any_of(node->inputs().begin(), node->inputs().end(), [&](auto* input) {
      const auto& given = frame.cells.at(input);  // x.contiguous() may be x
      return given.is_argument && given.value.isTensor() && given.value.is(cell.value);
    });
    if (is_number && !(is_list && has_values)) {
      cell.channels = channels;
    }
    if (is_number && !is_list) {
      cell.is_given = is_given;
      cell.is_chosen = is_chosen;
    }
  }
  note_sizes(frame, call);
  note_factor(frame, call);
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
