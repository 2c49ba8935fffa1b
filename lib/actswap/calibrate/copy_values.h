// Copies of what a program works on, before something writes to it in place.
#pragma once

#include <ATen/core/ivalue.h>

#include <cstdint>
#include <vector>

namespace actswap {

/// Copies tensors, lists, dicts and tuples. Values that share memory have copies that share it too:
/// a view stays a view. Other objects stay the same.
std::vector<c10::IValue> copy_values(const std::vector<c10::IValue>& values);

/// The memory that the values hold, in bytes; what several share counts once.
std::int64_t memory_of(const std::vector<c10::IValue>& values);

}  // namespace actswap
