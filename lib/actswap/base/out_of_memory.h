// Whether an exception says that memory ran out.
#pragma once

#include <exception>
#include <new>
#include <string_view>

namespace actswap {

/// LibTorch's allocators throw errors of their own; what runs a model may have put them into words
/// of its own.
inline bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
    return true;
  }
  const std::string_view what = error.what();
  for (const char* words : {"can't allocate memory", "not enough memory", "out of memory"}) {
    if (what.find(words) != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

}  // namespace actswap
