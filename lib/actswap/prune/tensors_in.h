// The tensors that a value holds.
#pragma once

#include <torch/script.h>

#include <functional>

namespace actswap {

/// Through lists, tuples, dicts and futures that are complete; not through objects.
inline void for_each_tensor(const c10::IValue& value,
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

}  // namespace actswap
