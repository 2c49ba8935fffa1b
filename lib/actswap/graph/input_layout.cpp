#include <actswap/base/counted.h>
#include <actswap/base/error.h>
#include <actswap/graph/flatten.h>
#include <actswap/graph/input_layout.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <memory>
#include <set>

namespace actswap {

namespace jit = torch::jit;

namespace {

bool is_tensor_type(const c10::TypePtr& type) {
  return type->isSubtypeOf(*c10::TensorType::get());
}

// In the order in which they are read. What the model itself has put into the dict is no input.
std::vector<std::string> keys_read(jit::Graph& graph, const jit::Value* dict) {
  static const auto kCopy = c10::Symbol::aten("copy");
  static const auto kDict = c10::Symbol::aten("dict");
  std::set<const jit::Value*> same = {dict};
  std::set<std::string> known;
  std::vector<std::string> keys;
  for_each_node(graph.block(), [&](jit::Node* node) {
    if (node->inputs().empty() || !same.contains(node->input(0))) {
      return;
    }
    if (node->kind() == kCopy || node->kind() == kDict) {
      same.insert(node->output());
      return;
    }
    const bool reads = node->kind() == c10::aten::__getitem__;
    if (!reads && node->kind() != c10::aten::_set_item) {
      return;
    }
    const auto key = jit::constant_as<std::string>(node->input(1));
    if (key && known.insert(*key).second && reads) {
      keys.push_back(*key);
    }
  });
  return keys;
}

// As many as it is unpacked to, or as the largest place that is read says; 0: nobody knows.
std::size_t length_of(jit::Graph& graph, const jit::Value* list) {
  std::size_t length = 0;
  for_each_node(graph.block(), [&](jit::Node* node) {
    if (node->inputs().empty() || node->input(0) != list) {
      return;
    }
    if (node->kind() == c10::prim::ListUnpack) {
      length = std::max(length, node->outputs().size());
    } else if (node->kind() == c10::aten::__getitem__) {
      const auto place = jit::constant_as<std::int64_t>(node->input(1));
      length = std::max(length, place && *place >= 0 ? static_cast<std::size_t>(*place) + 1 : 0);
    }
  });
  return length;
}

std::vector<std::string> places_of(std::size_t count) {
  std::vector<std::string> keys;
  keys.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    keys.push_back(std::to_string(i));
  }
  return keys;
}

bool is_dict_of_tensors(const c10::TypePtr& type) {
  const auto dict = type->cast<c10::DictType>();
  return dict && *dict->getKeyType() == *c10::StringType::get() &&
         *dict->getValueType() == *c10::TensorType::get();
}

bool is_tuple_of_tensors(const c10::TypePtr& type) {
  const auto tuple = type->cast<c10::TupleType>();
  return tuple && std::ranges::all_of(tuple->elements(), is_tensor_type);
}

bool is_list_of_tensors(const c10::TypePtr& type) {
  const auto list = type->cast<c10::ListType>();
  return list && *list->getElementType() == *c10::TensorType::get();
}

}  // namespace

InputLayout::InputLayout(const jit::Module& module) {
  const auto method = module.find_method("forward");
  if (!method) {
    return;
  }
  const auto& declared = method->function().getSchema().arguments();
  std::shared_ptr<jit::Graph> graph;  // made for those that need it: it takes a while
  const auto value_of = [&](std::size_t i) {
    graph = graph ? graph : flatten(module);
    return graph->inputs().at(i);
  };
  std::multiset<std::string> names;
  for (std::size_t i = 1; i < declared.size(); ++i) {
    const auto& type = declared[i].type();
    Argument argument{.kind = Kind::tensor,
                      .name = declared[i].name(),
                      .type = type->annotation_str(),
                      .preset = declared[i].default_value(),
                      .keys = {""}};
    if (is_dict_of_tensors(type)) {
      argument.kind = Kind::dict;
      const auto* value = value_of(i);
      argument.keys = keys_read(*graph, value);
    } else if (is_tuple_of_tensors(type)) {
      argument.kind = Kind::tuple;
      argument.keys = places_of(type->expectRef<c10::TupleType>().elements().size());
    } else if (is_list_of_tensors(type)) {
      argument.kind = Kind::list;
      const auto* value = value_of(i);
      argument.keys = places_of(length_of(*graph, value));
    } else if (!c10::TensorType::get()->isSubtypeOf(*type)) {
      argument.kind = Kind::value;
      argument.keys = {};
    }
    for (const auto& key : argument.keys) {
      const auto name = argument.kind == Kind::tensor ? argument.name
                        : argument.kind == Kind::dict ? key
                                                      : argument.name + "[" + key + "]";
      places_.push_back({.argument = i - 1, .key = key, .name = name});
      names.insert(name);
    }
    arguments_.push_back(std::move(argument));
  }
  for (auto& place : places_) {
    const auto& argument = arguments_[place.argument];
    if (names.count(place.name) > 1 && argument.kind == Kind::dict) {
      place.name = argument.name + "." + place.key;
    }
  }
}

std::string InputLayout::needs_values() const {
  std::string text;
  for (const auto& argument : arguments_) {
    if (argument.kind == Kind::value && !argument.preset) {
      text += (text.empty() ? "'" : ", '") + argument.name + "' (" + argument.type + ")";
    }
  }
  return text;
}

std::vector<c10::IValue> InputLayout::packed(const std::vector<torch::Tensor>& inputs) const {
  if (const auto needed = needs_values(); !needed.empty()) {
    throw UsageError("Expected a model whose inputs are tensors, but its forward takes " + needed +
                     " too, without a default. Wrap the model in a module that gives the value, "
                     "and script that module");
  }
  std::vector<c10::IValue> values;
  std::size_t at = 0;
  for (const auto& argument : arguments_) {
    const auto left = inputs.size() - at;
    if (left == 0) {
      break;
    }
    if (argument.kind == Kind::value) {
      values.push_back(*argument.preset);
      continue;
    }
    if (argument.kind == Kind::tensor) {
      values.emplace_back(inputs[at++]);
      continue;
    }
    if (left < argument.keys.size()) {
      std::string keys;
      for (const auto& key : argument.keys) {
        keys += (keys.empty() ? "" : ", ") + key;
      }
      throw UsageError("Expected " + std::to_string(argument.keys.size()) + " tensors for '" +
                       argument.name + "' of the model (" + keys + "), but got " +
                       std::to_string(left));
    }
    c10::Dict<std::string, torch::Tensor> dict;
    std::vector<torch::Tensor> tensors;
    for (const auto& key : argument.keys) {
      dict.insert(key, inputs[at]);
      tensors.push_back(inputs[at++]);
    }
    if (argument.kind == Kind::dict) {
      values.emplace_back(dict);
    } else if (argument.kind == Kind::list) {
      values.emplace_back(tensors);
    } else {
      values.push_back(
          c10::ivalue::Tuple::create(std::vector<c10::IValue>(tensors.begin(), tensors.end())));
    }
  }
  if (at < inputs.size()) {
    std::string names;
    for (const auto& place : places_) {
      names += (names.empty() ? " (" : ", ") + place.name;
    }
    throw UsageError("The model takes " + counted(places_.size(), "input") + names +
                     (names.empty() ? "" : ")") + ", but got " + std::to_string(inputs.size()));
  }
  return values;
}

std::vector<c10::IValue> InputLayout::complete(const std::vector<torch::Tensor>& inputs) const {
  auto values = packed(inputs);
  while (values.size() < arguments_.size() && arguments_[values.size()].preset) {
    values.push_back(*arguments_[values.size()].preset);
  }
  if (values.size() != arguments_.size()) {
    throw UsageError("Expected " + counted(places_.size(), "input") + " of the model, but got " +
                     std::to_string(inputs.size()));
  }
  return values;
}

}  // namespace actswap
