#include <actswap/graph/kept_state.h>
#include <actswap/graph/walk.h>

#include <algorithm>

namespace actswap {

namespace {

bool holds_objects(const c10::TypePtr& type) {
  const auto contained = type->containedTypes();
  return type->kind() == c10::TypeKind::ClassType || type->kind() == c10::TypeKind::AnyType ||
         type->kind() == c10::TypeKind::InterfaceType ||
         std::any_of(contained.begin(), contained.end(), holds_objects);
}

std::int64_t version_of(const torch::Tensor& tensor) {
  return tensor.is_inference() ? 0 : tensor._version();
}

// nullptr: it has none of its own, as a sparse tensor has not.
const void* memory_of(const torch::Tensor& tensor) {
  return tensor.has_storage() ? tensor.storage().data() : nullptr;
}

bool is_among(const c10::IValue& value, const std::vector<torch::Tensor>& tensors) {
  return value.isTensor() &&
         std::any_of(tensors.begin(), tensors.end(),
                     [&](const torch::Tensor& tensor) { return tensor.is_same(value.toTensor()); });
}

}  // namespace

KeptState::KeptState(const torch::jit::Module& module, const std::vector<torch::Tensor>& changing) {
  const torch::NoGradGuard no_grad;
  for (const auto& entry : distinct_modules(module)) {
    const auto object = entry.module._ivalue();
    const auto type = object->type();
    for (std::size_t i = 0; i < type->numAttributes(); ++i) {
      Slot slot{.object = object, .index = i, .value = object->getSlot(i)};
      if (slot.value.isTensor() && slot.value.toTensor().defined()) {
        memory_.insert(memory_of(slot.value.toTensor()));
      }
      if (slot.value.isModule() || type->is_parameter(i) || is_among(slot.value, changing)) {
        continue;
      }
      if (slot.value.isTensor()) {
        const auto& tensor = slot.value.toTensor();
        if (tensor.defined()) {
          slot.content = tensor.clone();
          slot.version = version_of(tensor);
        }
      } else if (!holds_objects(type->getAttribute(i))) {
        slot.value = slot.value.deepcopy();
        slot.is_copied = true;
      }
      slots_.push_back(std::move(slot));
    }
  }
  memory_.erase(nullptr);
}

KeptState::~KeptState() {
  restore();
}

void KeptState::restore() const {
  const torch::NoGradGuard no_grad;
  for (const auto& slot : slots_) {
    slot.object->setSlot(slot.index, slot.is_copied ? slot.value.deepcopy() : slot.value);
    if (!slot.content.defined()) {
      continue;
    }
    auto tensor = slot.value.toTensor();
    if (tensor.requires_grad() && !slot.content.requires_grad() && !tensor.is_leaf()) {
      tensor.detach_();  // the model wrote something to it that has a gradient
    }
    if (tensor.sizes() != slot.content.sizes()) {
      tensor.resize_(slot.content.sizes());
    }
    if (version_of(tensor) != slot.version) {
      tensor.copy_(slot.content);
    }
  }
}

bool KeptState::shares_memory(const torch::Tensor& tensor) const {
  return memory_.contains(memory_of(tensor));
}

}  // namespace actswap
