#include <actswap/train/module_tensors.h>

#include <unordered_set>

namespace actswap {

ModuleTensors::ModuleTensors(const torch::jit::Module& module) {
  std::unordered_set<const void*> known;
  for (const auto& each : module.modules()) {
    const auto object = each._ivalue();
    if (!known.insert(object.get()).second) {
      continue;  // a module under a second name
    }
    for (std::size_t i = 0; i < object->slots().size(); ++i) {
      const auto& value = object->getSlot(i);
      if (value.isTensor() && value.toTensor().defined() &&
          known.insert(value.toTensor().unsafeGetTensorImpl()).second) {
        slots_.emplace_back(object, i);
      } else if (value.isScalar() || value.isBool() || value.isString()) {
        number_slots_.emplace_back(object, i);
      }
    }
  }
}

std::vector<torch::Tensor> ModuleTensors::now() const {
  std::vector<torch::Tensor> tensors;
  tensors.reserve(slots_.size());
  for (const auto& [object, slot] : slots_) {
    const auto& value = object->getSlot(slot);
    tensors.push_back(value.isTensor() && value.toTensor().defined() ? value.toTensor().detach()
                                                                     : torch::Tensor());
  }
  return tensors;
}

std::vector<c10::IValue> ModuleTensors::numbers() const {
  std::vector<c10::IValue> values;
  values.reserve(number_slots_.size());
  for (const auto& [object, slot] : number_slots_) {
    values.push_back(object->getSlot(slot));
  }
  return values;
}

void ModuleTensors::write_numbers(const std::vector<c10::IValue>& values) const {
  for (std::size_t i = 0; i < number_slots_.size(); ++i) {
    const auto& [object, slot] = number_slots_[i];
    object->setSlot(slot, values.at(i));
  }
}

std::vector<torch::Tensor> ModuleTensors::copies() const {
  auto tensors = now();
  for (auto& tensor : tensors) {
    tensor = tensor.defined() ? tensor.clone() : tensor;
  }
  return tensors;
}

void ModuleTensors::write(const std::vector<torch::Tensor>& values) const {
  const torch::NoGradGuard without_gradients;
  const auto tensors = now();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (tensors[i].defined() && values[i].defined() && tensors[i].sizes() == values[i].sizes()) {
      tensors[i].copy_(values[i]);
    } else {
      const auto& [object, slot] = slots_[i];
      object->setSlot(slot, values[i].defined() ? c10::IValue(values[i].clone()) : c10::IValue());
    }
  }
}

}  // namespace actswap
