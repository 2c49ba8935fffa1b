#include <actswap/graph/containers.h>
#include <actswap/graph/kept_state.h>
#include <actswap/graph/walk.h>

namespace actswap {

namespace {

std::int64_t version_of(const torch::Tensor& tensor) {
  return tensor.is_inference() ? 0 : tensor._version();
}

// nullptr: it has none of its own, as a sparse tensor has not.
const void* memory_of(const torch::Tensor& tensor) {
  return tensor.has_storage() ? tensor.storage().data() : nullptr;
}

// Gives a list, dict or tuple the elements that it had: several attributes may hold the same one.
void refill(const c10::IValue& container, const c10::IValue& content) {
  if (container.isList()) {
    auto list = container.toList();
    list.clear();
    for (const c10::IValue& element : content.toList()) {
      list.push_back(ContainerCopies().of(element));
    }
  } else if (container.isGenericDict()) {
    auto dict = container.toGenericDict();
    dict.clear();
    for (const auto& entry : content.toGenericDict()) {
      dict.insert(entry.key(), ContainerCopies().of(entry.value()));
    }
  } else if (container.isTuple()) {
    const auto& elements = container.toTupleRef().elements();
    for (std::size_t i = 0; i < elements.size(); ++i) {
      refill(elements[i], content.toTupleRef().elements()[i]);
    }
  }
}

}  // namespace

KeptState::KeptState(const torch::jit::Module& module, const std::vector<torch::Tensor>& changing) {
  const torch::NoGradGuard no_grad;
  for (const auto& tensor : changing) {
    changing_.insert(tensor.unsafeGetTensorImpl());
  }
  Known known = changing_;  // objects and tensors; what parameters hold is not remembered
  const auto modules = distinct_modules(module);
  for (const auto& entry : modules) {
    const auto object = entry.module._ivalue();
    for (std::size_t i = 0; i < object->type()->numAttributes(); ++i) {
      const auto& value = object->getSlot(i);
      if (object->type()->is_parameter(i) && value.isTensor() && value.toTensor().defined()) {
        known.insert(value.toTensor().unsafeGetTensorImpl());
        memory_.insert(memory_of(value.toTensor()));
      }
    }
  }
  for (const auto& entry : modules) {
    remember(entry.module._ivalue(), known);
  }
  memory_.erase(nullptr);
}

void KeptState::remember(const c10::intrusive_ptr<c10::ivalue::Object>& object, Known& known) {
  if (!known.insert(object.get()).second) {
    return;
  }
  const auto type = object->type();
  for (std::size_t i = 0; i < object->slots().size(); ++i) {
    const auto& value = object->getSlot(i);
    const bool is_parameter = type->is_module() && type->is_parameter(i);
    const bool is_changing =
        value.isTensor() && changing_.contains(value.toTensor().unsafeGetTensorImpl());
    if (value.isModule() || is_changing || is_parameter) {
      continue;
    }
    for_each_element(value, [&](const c10::IValue& element) {
      if (element.isTensor() && element.toTensor().defined()) {
        remember(element.toTensor(), known);
      } else if (element.isObject() && !element.isModule()) {
        remember(element.toObject(), known);
      }
    });
    slots_.push_back(
        {.object = object, .index = i, .value = value, .content = ContainerCopies().of(value)});
  }
}

void KeptState::remember(const torch::Tensor& tensor, Known& known) {
  memory_.insert(memory_of(tensor));
  if (known.insert(tensor.unsafeGetTensorImpl()).second) {
    contents_.push_back({.tensor = tensor, .copy = tensor.clone(), .version = version_of(tensor)});
  }
}

KeptState::~KeptState() {
  restore();
}

void KeptState::restore() const {
  const torch::NoGradGuard no_grad;
  for (const auto& slot : slots_) {
    refill(slot.value, slot.content);
    slot.object->setSlot(slot.index, slot.value);
  }
  for (const auto& content : contents_) {
    auto tensor = content.tensor;
    if (tensor.requires_grad() && !content.copy.requires_grad() && !tensor.is_leaf()) {
      tensor.detach_();  // the model wrote something to it that has a gradient
    }
    if (tensor.sizes() != content.copy.sizes()) {
      tensor.resize_(content.copy.sizes());
    }
    if (version_of(tensor) != content.version) {
      tensor.copy_(content.copy);
    }
  }
}

bool KeptState::shares_memory(const torch::Tensor& tensor) const {
  return memory_.contains(memory_of(tensor));
}

}  // namespace actswap
