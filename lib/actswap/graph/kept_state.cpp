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

}  // namespace

KeptState::KeptState(const torch::jit::Module& module) {
  const torch::NoGradGuard no_grad;
  for (const auto& entry : distinct_modules(module)) {
    const auto object = entry.module._ivalue();
    const auto type = object->type();
    for (std::size_t i = 0; i < type->numAttributes(); ++i) {
      Slot slot{.object = object, .index = i, .value = object->getSlot(i)};
      if (slot.value.isModule() || type->is_parameter(i)) {
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
      }
      slots_.push_back(std::move(slot));
    }
  }
}

KeptState::~KeptState() {
  const torch::NoGradGuard no_grad;
  for (const auto& slot : slots_) {
    slot.object->setSlot(slot.index, slot.value);
    if (slot.content.defined() && version_of(slot.value.toTensor()) != slot.version) {
      slot.value.toTensor().copy_(slot.content);
    }
  }
}

}  // namespace actswap
