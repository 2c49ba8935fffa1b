#include <actswap/graph/attributes.h>
#include <actswap/graph/elementwise.h>
#include <actswap/graph/operators.h>
#include <actswap/graph/specialise.h>
#include <actswap/graph/uncalled_methods.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/api/function_impl.h>

#include <algorithm>
#include <set>
#include <sstream>

namespace actswap {

namespace jit = torch::jit;

namespace {

const auto kNumber = c10::Symbol::attr("actswap_number");
const auto kTensor = c10::Symbol::attr("actswap_tensor");

using Attribute = std::pair<c10::ClassTypePtr, std::string>;

std::optional<Attribute> attribute_of(const jit::Node* node, c10::Symbol kind) {
  const auto owner =
      node->kind() == kind ? node->input(0)->type()->cast<c10::ClassType>() : nullptr;
  return owner == nullptr ? std::nullopt
                          : std::optional(Attribute(owner, node->s(c10::attr::name)));
}

bool is_number(const c10::TypePtr& type) {
  return type->kind() == c10::TypeKind::FloatType || type->kind() == c10::TypeKind::IntType;
}

bool is_read_by_a_tensor_operator(const jit::Node* node) {
  const auto& uses = node->output()->uses();
  return std::any_of(uses.begin(), uses.end(), [](const jit::Use& use) {
    return use.user->kind().is_aten() && use.user->outputs().size() == 1 &&
           use.user->output()->type()->isSubtypeOf(*c10::TensorType::get());
  });
}

bool is_computed_with_by(const jit::Use& use);

// Whether nothing but elementwise operators read it, in functions that it is passed to as well.
bool is_only_computed_with(const jit::Value* value) {
  return std::ranges::all_of(value->uses(), is_computed_with_by);
}

bool is_computed_with_by(const jit::Use& use) {
  if (auto* callee = callee_of(use.user)) {
    const std::size_t of_call = use.user->kind() == c10::prim::CallFunction ? 1 : 0;
    return use.offset >= of_call &&
           is_only_computed_with(callee->graph()->inputs().at(use.offset - of_call));
  }
  const auto op = aten_operator(use.user);
  if (!op || (op->in_place && use.offset == 0)) {
    return false;
  }
  const auto inputs = use.user->inputs().size();  // one more where the result has a place: out=
  return find_elementwise(op->name, inputs) != nullptr ||
         ((op->name == "clamp" || op->name == "clip") && inputs <= 3);
}

struct Attributes {
  std::set<Attribute> set;       // by code of the model
  std::set<Attribute> computed;  // numbers that tensor operators read
  std::set<Attribute> shared;    // tensors that other than elementwise operators read
};

Attributes attributes_in(const std::vector<ModuleEntry>& modules) {
  Attributes found;
  for (const auto& type : distinct_types(modules)) {
    for (auto* method : user_methods(type)) {
      for_each_node(jit::toGraphFunction(*method).graph()->block(), [&](jit::Node* node) {
        if (const auto written = attribute_of(node, c10::prim::SetAttr)) {
          found.set.insert(*written);
        }
        const auto read = attribute_of(node, c10::prim::GetAttr);
        if (read && is_number(node->output()->type()) && is_read_by_a_tensor_operator(node)) {
          found.computed.insert(*read);
        }
        if (read && node->output()->type()->isSubtypeOf(*c10::TensorType::get()) &&
            !is_only_computed_with(node->output())) {
          found.shared.insert(*read);
        }
      });
    }
  }
  return found;
}

double number_of(const c10::IValue& value) {
  return value.toScalar().to<double>();
}

ObjectLabels labels_of(const std::vector<ModuleEntry>& modules, const Attributes& attributes) {
  std::map<c10::ClassTypePtr, std::vector<std::string>> names;
  for (const auto& attribute : attributes.computed) {
    if (!attributes.set.contains(attribute)) {
      names[attribute.first].push_back(attribute.second);
    }
  }
  ObjectLabels labels;
  for (const auto& entry : modules) {
    std::ostringstream label;
    label.precision(17);
    for (const auto& name : names[entry.module.type()]) {
      label << name << '=' << number_of(entry.module.attr(name)) << ';';
    }
    labels.emplace(entry.module._ivalue().get(), label.str());
  }
  return labels;
}

using Storages = std::set<const c10::StorageImpl*>;

const c10::StorageImpl* memory_of(const c10::TensorImpl& tensor) {
  return tensor.has_storage() ? tensor.storage().unsafeGetStorageImpl() : nullptr;
}

// Memory that a training or code may write to, under whatever names it is held.
Storages changing_memory(const jit::Module& root, const std::vector<ModuleEntry>& modules,
                         const Attributes& attributes) {
  Storages found;
  for (const auto* tensor : contained_tensors(root)) {
    found.insert(memory_of(*tensor));
  }
  for (const auto& entry : modules) {
    const auto type = entry.module.type();
    for (std::size_t i = 0; i < type->numAttributes(); ++i) {
      const auto value = entry.module._ivalue()->getSlot(i);
      const Attribute attribute(type, type->getAttributeName(i));
      const bool may_change = type->is_parameter(i) || attributes.set.contains(attribute) ||
                              attributes.shared.contains(attribute);
      if (may_change && value.isTensor() && value.toTensor().defined()) {
        found.insert(memory_of(*value.toTensor().unsafeGetTensorImpl()));
      }
    }
  }
  return found;
}

// What converters of ONNX files make of a constant.
bool is_number_in_buffer(const c10::IValue& value, const Storages& changing) {
  return value.isTensor() && value.toTensor().defined() && value.toTensor().numel() == 1 &&
         value.toTensor().dim() <= 1 && value.toTensor().is_floating_point() &&
         !value.toTensor().requires_grad() &&
         !changing.contains(memory_of(*value.toTensor().unsafeGetTensorImpl()));
}

// The number in a buffer of one element, if all objects of the class have the same one.
std::optional<double> common_number(const std::vector<const ModuleEntry*>& objects,
                                    const std::string& attribute, const Storages& changing) {
  std::optional<double> common;
  for (const auto* object : objects) {
    const auto value = object->module.attr(attribute);
    if (!is_number_in_buffer(value, changing)) {
      return std::nullopt;
    }
    const auto number = value.toTensor().item<double>();
    if (common && *common != number) {
      return std::nullopt;
    }
    common = number;
  }
  return common;
}

// The value that the attribute has in all objects of a class.
std::optional<c10::IValue> common_value(const std::vector<const ModuleEntry*>& objects,
                                        const std::string& attribute) {
  std::optional<c10::IValue> common;
  for (const auto* object : objects) {
    const auto value = object->module.attr(attribute);
    if (common && value.isScalar() && number_of(value) != number_of(*common)) {
      return std::nullopt;
    }
    common = common ? common : std::optional(value);
  }
  return common;
}

void note(jit::Node* node, const c10::IValue& value) {
  if (value.isDouble() || value.isInt()) {
    node->f_(kNumber, number_of(value));
  } else if (value.isTensor() && value.toTensor().defined() && value.toTensor().numel() > 0 &&
             value.toTensor().is_floating_point()) {
    node->f_(kTensor, value.toTensor().flatten()[0].item<double>());
  }
}

std::optional<double> noted(const jit::Value* value, c10::Symbol kind) {
  const jit::Node* node = value->node();
  return node->kind() == c10::prim::GetAttr && node->hasAttribute(kind)
             ? std::optional(node->f(kind))
             : std::nullopt;
}

}  // namespace

jit::Module note_attributes(const jit::Module& given) {
  auto modules = distinct_modules(given);
  const auto root = specialise(given, labels_of(modules, attributes_in(modules)));
  modules = distinct_modules(root);
  const auto attributes = attributes_in(modules);
  const auto objects = objects_by_class(modules);
  const auto changing = changing_memory(root, modules, attributes);
  for (const auto& type : distinct_types(modules)) {
    for (auto* method : user_methods(type)) {
      for_each_node(jit::toGraphFunction(*method).graph()->block(), [&](jit::Node* node) {
        const auto read = attribute_of(node, c10::prim::GetAttr);
        if (!read || attributes.set.contains(*read)) {
          return;
        }
        const auto owners = objects.find(read->first);
        if (owners == objects.end()) {
          return;
        }
        const auto number = common_number(owners->second, read->second, changing);
        const auto value = common_value(owners->second, read->second);
        if (number || value) {
          note(node, number ? c10::IValue(*number) : *value);
        }
      });
    }
  }
  return root;
}

std::optional<double> noted_number(const jit::Value* value) {
  return noted(value, kNumber);
}

std::optional<double> noted_tensor(const jit::Value* value) {
  return noted(value, kTensor);
}

}  // namespace actswap
