// Lists, dicts and tuples that hold a model's values.
#pragma once

#include <torch/script.h>

#include <functional>
#include <unordered_map>

namespace actswap {

/// Calls `visit` for each element that is no list, dict or tuple, in nested ones too; for the value
/// itself if it is none.
void for_each_element(const c10::IValue& value,
                      const std::function<void(const c10::IValue&)>& visit);

/// Copies lists, dicts and tuples. Two references to one list stay references to one copy.
class ContainerCopies {
 public:
  /// @param element makes of each element the one that a copy holds; empty: they hold the same
  explicit ContainerCopies(std::function<c10::IValue(const c10::IValue&)> element = {});

  c10::IValue of(const c10::IValue& value);

 private:
  std::function<c10::IValue(const c10::IValue&)> element_;
  std::unordered_map<const void*, c10::IValue> known_;
};

}  // namespace actswap
