#include <actswap/graph/blend.h>
#include <actswap/graph/walk.h>
#include <actswap/prune/labelled_run.h>
#include <actswap/prune/tensors_in.h>

#include <algorithm>
#include <utility>

namespace actswap {

namespace jit = torch::jit;

namespace {

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
  for (const auto& type : distinct_types(distinct_modules(module))) {
    if (is_blend(type)) {
      continue;  // t changes no size
    }
    for (auto* method : user_methods(type)) {
      if (auto* code = jit::tryToGraphFunction(*method)) {
        for_each_node(code->graph()->block(), [this](const jit::Node* node) {
          if (node->kind() == c10::prim::SetAttr) {
            changing_attributes_.insert(node->s(c10::attr::name));
          }
        });
      }
    }
  }
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
          source.first.back() = labels_.fresh(tensor.size(d), shape.source * 64 + d,
                                              /*gives_way=*/!source.is_parameter);
          shape.arrays.push_back(
              placed(at::arange(tensor.size(d), at::kLong) + source.first.back(), tensor.dim(), d));
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

void LabelledRun::move(const OperatorCall& call) {
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
        labels.back() = labels.back().contiguous();
      }
      if (inputs[i].isTensor() && labels.size() == 1 && (has_labels || tensors > 1)) {
        const bool is_index = !has_labels && !inputs[i].toTensor().is_floating_point();
        inputs[i] = is_index ? inputs[i] : c10::IValue(labels[0]);
      } else if (inputs[i].isTensorList() && has_labels) {
        inputs[i] = c10::IValue(labels);
      }
    }
    std::vector<at::Tensor> moved;
    for (const auto& output : execute(call.node, std::move(inputs))) {
      for_each_tensor(output, [&](const at::Tensor& tensor) { moved.push_back(tensor); });
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const auto labels = moved.at(i).round().to(at::kLong);
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

void LabelledRun::note_role(const at::Tensor& array, SliceRole role) {
  const auto label = array.flatten()[0].item<Label>();
  if (label != kFixed) {
    const auto owner = labels_.owner(label);
    auto& roles = sources_[static_cast<std::size_t>(owner / 64)].roles;
    const auto [known, is_new] = roles.emplace(owner % 64, role);
    if (!is_new && known->second != role) {
      algebra_.freeze(array, "is computed and read by the same weight");
    }
  }
}

void LabelledRun::note_uses(const LabelledShape& weight, double uses) {
  if (is_other_) {
    return;
  }
  if (weight.source >= 0) {
    sources_[static_cast<std::size_t>(weight.source)].uses += uses;
  } else {
    value_multiplications_ += uses * static_cast<double>(c10::multiply_integers(weight.sizes));
  }
}

void LabelledRun::note_values(const at::Tensor& array, double multiplications) {
  const auto entries = array.flatten();
  for (std::int64_t i = 0; !is_other_ && i < entries.numel(); ++i) {
    const auto label = entries[i].item<Label>();
    if (label != kFixed) {
      value_costs_.push_back({label, multiplications / static_cast<double>(entries.numel())});
    }
  }
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

std::set<std::string> LabelledRun::functions_around(const Frame& frame) {
  std::set<std::string> names;
  const auto* around = &frame;
  for (; around != nullptr && !around->function.empty(); around = around->caller) {
    names.insert(around->function);
  }
  return names;
}

std::optional<Place> LabelledRun::place_of(const Frame& frame, const jit::Node* node,
                                           std::size_t input, std::int64_t element) {
  const jit::Value* value = node->input(input);
  if (element >= 0 && value->node()->kind() == c10::prim::ListConstruct) {
    return place_of(frame, value->node(), static_cast<std::size_t>(element), -1);
  }
  // A list is written where it is put together. So is a number of a function that reads it once.
  if (is_of_code(value, frame.graph) &&
      (element >= 0 || (!frame.function.empty() && value->uses().size() == 1))) {
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
