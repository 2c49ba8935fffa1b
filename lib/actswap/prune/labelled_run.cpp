#include <actswap/base/error.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/graph/input_layout.h>
#include <actswap/graph/walk.h>
#include <actswap/prune/labelled_run.h>
#include <actswap/prune/operator_rules.h>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <functional>

namespace actswap {

namespace jit = torch::jit;

namespace {

// What a value holds, through lists, tuples and dicts; not through objects.
void for_each_tensor(const c10::IValue& value,
                     const std::function<void(const at::Tensor&)>& visit) {
  if (value.isTensor()) {
    if (value.toTensor().defined()) {
      visit(value.toTensor());
    }
  } else if (value.isTensorList()) {
    for (const at::Tensor& tensor : value.toTensorVector()) {
      visit(tensor);
    }
  } else if (value.isList()) {
    for (const auto& element : value.toListRef()) {
      for_each_tensor(element, visit);
    }
  } else if (value.isTuple()) {
    for (const auto& element : value.toTupleRef().elements()) {
      for_each_tensor(element, visit);
    }
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) {
      for_each_tensor(entry.value(), visit);
    }
  } else if (value.isFuture() && value.toFuture()->completed()) {
    for_each_tensor(value.toFuture()->value(), visit);
  }
}

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

bool is_whole_number(const c10::IValue& value) {
  return value.isTensor() && value.toTensor().defined() && value.toTensor().dim() == 0 &&
         !value.toTensor().is_floating_point();
}

bool raises(const jit::Block* block) {
  return std::any_of(block->nodes().begin(), block->nodes().end(), [](const jit::Node* node) {
    return node->kind() == c10::prim::RaiseException;
  });
}

bool is_of_code(const jit::Value* value, const jit::Graph* graph) {
  return value->node() == graph->param_node();
}

}  // namespace

std::optional<std::size_t> OperatorCall::argument(const std::string& name) const {
  const auto* schema = node->maybeSchema();
  if (schema != nullptr) {
    if (const auto found = schema->argumentIndexWithName(name)) {
      return static_cast<std::size_t>(*found);
    }
  }
  return std::nullopt;
}

LabelledRun::LabelledRun(const jit::Module& module) : module_(module) {
  find_sources();
}

void LabelledRun::find_sources() {
  std::map<const void*, std::size_t> by_memory;
  for (const auto& entry : distinct_modules(module_)) {
    const auto object = entry.module._ivalue();
    paths_.emplace(object.get(), entry.path);
    for (std::size_t slot = 0; slot < object->slots().size(); ++slot) {
      const auto& value = object->getSlot(slot);
      if (!value.isTensor() || !value.toTensor().defined() || value.toTensor().is_sparse() ||
          shapes_.contains(value.toTensor().unsafeGetTensorImpl())) {
        continue;
      }
      const auto& tensor = value.toTensor();
      const auto& name = object->type()->getAttributeName(slot);
      SourceTensor source{.path = entry.path.empty() ? name : entry.path + "." + name,
                          .tensor = tensor,
                          .is_parameter = object->type()->is_parameter(slot)};
      LabelledShape shape{.sizes = tensor.sizes().vec(),
                          .is_weight = true,
                          .source = static_cast<std::int64_t>(sources_.size())};
      for (std::int64_t d = 0; d < tensor.dim(); ++d) {
        source.first.push_back(kFixed);
        if (tensor.size(d) > 1) {
          source.first.back() = labels_.fresh(tensor.size(d), shape.source * 64 + d);
          std::vector<std::int64_t> sizes(static_cast<std::size_t>(tensor.dim()), 1);
          sizes[static_cast<std::size_t>(d)] = tensor.size(d);
          shape.arrays.push_back(
              (at::arange(tensor.size(d), at::kLong) + source.first.back()).view(sizes));
        }
      }
      // Another tensor in the same memory would not become smaller with this one.
      if (tensor.has_storage() && tensor.storage().data() != nullptr) {
        const auto [known, is_new] =
            by_memory.emplace(tensor.storage().unsafeGetStorageImpl(), sources_.size());
        if (!is_new) {
          const auto reason = "shares its memory with " + sources_[known->second].path;
          algebra_.freeze(shape, reason);
          algebra_.freeze(shape_of(sources_[known->second].tensor), reason);
        }
      }
      shapes_.emplace(tensor.unsafeGetTensorImpl(), std::move(shape));
      sources_.push_back(std::move(source));
    }
  }
}

LabelledShape LabelledRun::shape_of(const at::Tensor& tensor) const {
  const auto found = shapes_.find(tensor.unsafeGetTensorImpl());
  if (found == shapes_.end()) {
    return {.sizes = tensor.sizes().vec()};
  }
  return found->second;
}

std::vector<LabelledShape> LabelledRun::shapes_in(const c10::IValue& value) const {
  std::vector<LabelledShape> found;
  for_each_tensor(value, [&](const at::Tensor& tensor) { found.push_back(shape_of(tensor)); });
  return found;
}

void LabelledRun::freeze_all(const c10::IValue& value, const std::string& reason) {
  for (const auto& shape : shapes_in(value)) {
    algebra_.freeze(shape, reason);
  }
}

void LabelledRun::freeze_objects(const c10::IValue& value, const std::string& reason) {
  if (value.isModule()) {
    for (const auto& entry : distinct_modules(value.toModule())) {
      for (const auto& slot : entry.module._ivalue()->slots()) {
        freeze_all(slot, reason);
      }
    }
  }
}

void LabelledRun::give(const at::Tensor& tensor, LabelledShape shape) {
  shape.sizes = tensor.sizes().vec();
  for (const auto& array : shape.arrays) {
    if (array.dim() != tensor.dim()) {
      algebra_.freeze(shape, "its labels do not fit what it computes");
      shape.arrays.clear();
      break;
    }
    if (only_dim(array) < 0) {
      several_.push_back(array);
    }
  }
  const auto* key = tensor.unsafeGetTensorImpl();
  if (shape.arrays.empty() && !shape.is_weight) {
    shapes_.erase(key);
    return;
  }
  kept_.emplace_back(tensor.getIntrusivePtr());
  shapes_.insert_or_assign(key, std::move(shape));
}

void LabelledRun::move(const OperatorCall& call, std::optional<std::size_t> fill) {
  std::vector<at::Tensor> outputs;
  for (const auto& output : call.outputs) {
    for_each_tensor(output, [&](const at::Tensor& tensor) { outputs.push_back(tensor); });
  }
  std::vector<LabelledShape> results(outputs.size());
  std::size_t rounds = 0;
  std::size_t tensors = 0;
  bool is_weight = true;
  for (const auto& shapes : call.shapes) {
    for (const auto& shape : shapes) {
      rounds = std::max(rounds, shape.arrays.size());
      is_weight = is_weight && shape.is_weight;
      ++tensors;
    }
  }
  if (tensors > 1 && rounds > 1) {
    for (const auto& shapes : call.shapes) {
      for (const auto& shape : shapes) {
        algebra_.freeze(shape, "two kinds of units meet in one " + call.name());
      }
    }
  }
  for (std::size_t round = 0; round < rounds; ++round) {
    auto inputs = call.inputs;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      std::vector<at::Tensor> labels;
      bool has_labels = false;
      for (const auto& shape : call.shapes[i]) {
        const bool has = round < shape.arrays.size();
        has_labels = has_labels || has;
        labels.push_back(has ? shape.arrays[round].expand(shape.sizes).to(at::kDouble)
                             : at::full(shape.sizes, kFixed, at::kDouble));
        labels.back() = (labels.back() + (fill ? 1.0 : 0.0)).contiguous();
      }
      if (inputs[i].isTensor() && labels.size() == 1 && (has_labels || tensors > 1)) {
        const bool is_index = !has_labels && !inputs[i].toTensor().is_floating_point();
        inputs[i] = is_index ? inputs[i] : c10::IValue(labels[0]);
      } else if (inputs[i].isTensorList() && has_labels) {
        inputs[i] = c10::IValue(labels);
      }
    }
    if (fill) {
      inputs.at(*fill) = 0.0;
    }
    std::vector<at::Tensor> moved;
    for (const auto& output : execute(call.node, std::move(inputs))) {
      for_each_tensor(output, [&](const at::Tensor& tensor) { moved.push_back(tensor); });
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const auto labels = (moved.at(i) - (fill ? 1.0 : 0.0)).round().to(at::kLong);
      results[i].arrays.push_back(algebra_.compressed(labels));
    }
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    results[i].is_weight = is_weight;
    if (tensors == 1 && outputs.size() == 1) {
      for (const auto& shapes : call.shapes) {
        for (const auto& shape : shapes) {
          std::int64_t entries = 1;
          for (const auto size : shape.sizes) {
            entries *= size;
          }
          results[i].source = entries == outputs[i].numel() ? shape.source : -1;
        }
      }
    }
    results[i].sizes = outputs[i].sizes().vec();
    algebra_.tidy(results[i]);
    give(outputs[i], std::move(results[i]));
  }
}

void LabelledRun::count(const OperatorCall& call, std::size_t input, std::int64_t element,
                        const LabelledShape& shape, std::int64_t dim, std::int64_t begin,
                        std::int64_t end, std::int64_t stride) {
  for (const auto& array : shape.arrays) {
    if (!depends_on(array, dim)) {
      continue;
    }
    const auto* cell = cell_of(*frame_, call.node, input, element);
    counts_.push_back({.place = place_of(*frame_, call.node, input, element),
                       .follows = cell != nullptr && cell->is_sized,
                       .array = array,
                       .dim = dim,
                       .begin = begin,
                       .end = end,
                       .stride = stride});
  }
}

void LabelledRun::count_size(const OperatorCall& call, std::size_t input, std::int64_t element,
                             const at::Tensor& output, std::int64_t dim) {
  count(call, input, element, shape_of(output), dim, 0, output.size(dim));
}

void LabelledRun::note_role(const at::Tensor& array, SliceRole role) {
  const auto label = array.flatten()[0].item<Label>();
  if (label != kFixed) {
    const auto owner = labels_.owner(label);
    sources_[static_cast<std::size_t>(owner / 64)].roles.emplace(owner % 64, role);
  }
}

void LabelledRun::note_uses(const LabelledShape& weight, double uses) {
  if (weight.source >= 0) {
    sources_[static_cast<std::size_t>(weight.source)].uses += uses;
  } else {
    value_multiplications_ += uses * static_cast<double>(c10::multiply_integers(weight.sizes));
  }
}

void LabelledRun::note_values(const at::Tensor& array, double multiplications) {
  const auto entries = array.flatten();
  for (std::int64_t i = 0; i < entries.numel(); ++i) {
    const auto label = entries[i].item<Label>();
    if (label != kFixed) {
      value_costs_.push_back({label, multiplications / static_cast<double>(entries.numel())});
    }
  }
}

void LabelledRun::run(const std::vector<torch::Tensor>& inputs) {
  const torch::NoGradGuard without_gradients;
  std::vector<Cell> arguments = {{module_._ivalue()}};
  const InputLayout layout(module_);
  auto& method = jit::toGraphFunction(module_.get_method("forward").function());
  const auto& declared = method.getSchema().arguments();
  for (const auto& value : layout.packed(inputs)) {
    arguments.push_back({value, !value.isTensor()});
  }
  for (std::size_t i = arguments.size(); i < declared.size(); ++i) {
    if (declared[i].default_value()) {
      arguments.push_back({*declared[i].default_value()});
    }
  }
  if (arguments.size() != declared.size()) {
    throw UsageError("Expected " + std::to_string(layout.places().size()) +
                     " inputs of the model, but got " + std::to_string(inputs.size()));
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
    frame.cells[node->output()] = {value_of(0).toObject()->getAttr(node->s(c10::attr::name))};
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
  } else {
    run_operator(frame, node);
  }
}

void LabelledRun::run_if(Frame& frame, jit::Node* node) {
  const auto condition = frame.cells.at(node->input());
  const bool is_true = condition.value.toBool();
  const jit::Block* taken = node->blocks()[is_true ? 0 : 1];
  const jit::Block* other = node->blocks()[is_true ? 1 : 0];
  run_block(frame, taken);
  const bool may_differ = condition.is_dynamic && !raises(other);
  if (may_differ) {
    freeze_captured(frame, other, "a branch that depends on the inputs reads it");
  }
  for (std::size_t i = 0; i < node->outputs().size(); ++i) {
    auto cell = frame.cells.at(taken->outputs()[i]);
    cell.is_dynamic = cell.is_dynamic || condition.is_dynamic;
    cell.is_sized = cell.is_sized || condition.is_sized;
    if (may_differ) {
      freeze_all(cell.value, "comes from a branch that depends on the inputs");
    }
    frame.cells[node->output(i)] = std::move(cell);
  }
}

void LabelledRun::run_loop(Frame& frame, jit::Node* node) {
  const jit::Block* body = node->blocks()[0];
  const auto limit = frame.cells.at(node->input(0));
  auto condition = frame.cells.at(node->input(1));
  bool is_dynamic = limit.is_dynamic;
  std::vector<Cell> carried;
  for (std::size_t i = 2; i < node->inputs().size(); ++i) {
    carried.push_back(frame.cells.at(node->input(i)));
  }
  for (std::int64_t trip = 0; trip < limit.value.toInt() && condition.value.toBool(); ++trip) {
    is_dynamic = is_dynamic || condition.is_dynamic;
    frame.cells[body->inputs()[0]] = {trip, false, false};
    for (std::size_t i = 0; i < carried.size(); ++i) {
      frame.cells[body->inputs()[i + 1]] = carried[i];
    }
    run_block(frame, body);
    condition = frame.cells.at(body->outputs()[0]);
    for (std::size_t i = 0; i < carried.size(); ++i) {
      carried[i] = frame.cells.at(body->outputs()[i + 1]);
    }
  }
  is_dynamic = is_dynamic || condition.is_dynamic;
  if (is_dynamic) {
    freeze_captured(frame, body, "a loop that depends on the inputs reads it");
  }
  for (std::size_t i = 0; i < carried.size(); ++i) {
    if (is_dynamic) {
      freeze_all(carried[i].value, "comes from a loop that depends on the inputs");
      carried[i].is_dynamic = carried[i].is_sized = true;
    }
    frame.cells[node->output(i)] = carried[i];
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
  bool has_labels = false;
  bool has_values = false;  // tensors that are no numbers of the code
  for (const jit::Value* input : node->inputs()) {
    const auto& cell = frame.cells.at(input);
    call.inputs.push_back(cell.value);
    is_dynamic = is_dynamic || cell.is_dynamic;
    is_sized = is_sized || cell.is_sized;
    const bool is_tensors = cell.value.isTensor() || cell.value.isTensorList();
    call.shapes.push_back(is_tensors ? shapes_in(cell.value) : std::vector<LabelledShape>());
    has_values = has_values || (is_tensors && !is_whole_number(cell.value));
    for (const auto& shape : call.shapes.back()) {
      has_labels = has_labels || !shape.arrays.empty();
    }
  }
  const auto name = call.name();
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
           return depends_on(array, shape.wrap(call.inputs[1].toInt()));
         }));
    is_sized = true;
    is_dynamic = is_dynamic || !of_weights;
  } else if (name == "numel" || name == "len") {
    is_sized = is_dynamic = is_sized || has_values;
  } else if (computes && !asks_for_form(name)) {
    frame_ = &frame;
    if (!apply_rule(call, *this) && has_labels) {
      for (const auto& input : call.inputs) {
        freeze_all(input, "its channels cannot be followed through " + name);
      }
    }
    is_dynamic = is_dynamic || has_values;
  }
  for (std::size_t i = 0; i < node->outputs().size(); ++i) {
    auto value = call.outputs.at(i);
    const bool is_number = !value.isTensor() || is_whole_number(value);
    const bool is_list = value.isTensorList();
    frame.cells[node->output(i)] = {std::move(value), is_number && !is_list && is_dynamic,
                                    is_number && is_sized};
  }
}

// What the code of a block, which did not run or may run more often, reads of what is outside.
void LabelledRun::freeze_captured(Frame& frame, const jit::Block* block,
                                  const std::string& reason) {
  std::unordered_map<const jit::Value*, c10::IValue> inside;
  const auto value_of = [&](const jit::Value* value) {
    const auto known = inside.find(value);
    if (known != inside.end()) {
      return known->second;
    }
    const auto outside = frame.cells.find(value);
    return outside == frame.cells.end() ? c10::IValue() : outside->second.value;
  };
  const std::function<void(const jit::Block*)> visit = [&](const jit::Block* where) {
    for (const jit::Node* node : where->nodes()) {
      if (node->kind() == c10::prim::GetAttr) {
        const auto object = value_of(node->input(0));
        if (object.isObject()) {
          inside[node->output()] = object.toObject()->getAttr(node->s(c10::attr::name));
          continue;
        }
      }
      for (const jit::Value* input : node->inputs()) {
        freeze_all(value_of(input), reason);
        freeze_objects(value_of(input), reason);
      }
      for (const jit::Block* nested : node->blocks()) {
        visit(nested);
      }
    }
    for (const jit::Value* output : where->outputs()) {
      freeze_all(value_of(output), reason);
    }
  };
  visit(block);
}

const LabelledRun::Cell* LabelledRun::cell_of(const Frame& frame, const jit::Node* node,
                                              std::size_t input, std::int64_t element) const {
  const jit::Value* value = node->input(input);
  if (element >= 0) {
    if (value->node()->kind() == c10::prim::ListConstruct) {
      return cell_of(frame, value->node(), static_cast<std::size_t>(element), -1);
    }
    if (is_of_code(value, frame.graph) && frame.caller != nullptr) {
      return cell_of(*frame.caller, frame.call, value->offset() + frame.first_argument, element);
    }
  }
  const auto found = frame.cells.find(value);
  return found == frame.cells.end() ? nullptr : &found->second;
}

std::optional<Place> LabelledRun::place_of(const Frame& frame, const jit::Node* node,
                                           std::size_t input, std::int64_t element) {
  const jit::Value* value = node->input(input);
  if (element >= 0 && value->node()->kind() == c10::prim::ListConstruct) {
    return place_of(frame, value->node(), static_cast<std::size_t>(element), -1);
  }
  if (is_of_code(value, frame.graph)) {
    return frame.caller == nullptr ? std::nullopt
                                   : place_of(*frame.caller, frame.call,
                                              value->offset() + frame.first_argument, element);
  }
  if (frame.object == nullptr) {
    return std::nullopt;
  }
  auto& numbers = numbers_[frame.method_graph];
  if (numbers.empty()) {
    for_each_node(const_cast<jit::Block*>(frame.method_graph->block()),
                  [&](const jit::Node* each) { numbers.emplace(each, numbers.size()); });
  }
  return Place{.object = *frame.object,
               .method = frame.method,
               .node = numbers.at(node),
               .input = input,
               .element = element};
}

}  // namespace actswap
