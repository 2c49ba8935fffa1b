// Lists, dicts and tuples that hold a model's values.
#pragma once

#include <torch/script.h>

#include <functional>

namespace actswap {

/// Calls `visit` for each element that is no list, dict or tuple, in nested ones too; for the value
/// itself if it is none.
void for_each_element(const c10::IValue& value,
                      const std::function<void(const c10::IValue&)>& visit);

/// A copy of the lists, dicts and tuples, which holds the same tensors and objects. Anything else
/// is returned as it is.
c10::IValue copy_containers(const c10::IValue& value);

}  // namespace actswap
