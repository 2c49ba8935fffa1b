// Whether an error says that memory ran out.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <string_view>

namespace actswap {

/// LibTorch's allocators say it in words of their own.
inline bool is_out_of_memory(std::string_view what) {
  for (const char* words : {"can't allocate memory", "not enough memory", "out of memory",
                            "Out of memory", "std::bad_alloc"}) {
    if (what.find(words) != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

inline bool is_out_of_memory(const std::exception& error) {
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
         is_out_of_memory(std::string_view(error.what()));
}

/// " (tried to allocate 1024 bytes)"; empty where the exception does not say how much.
inline std::string allocation_in(const std::exception& error) {
  const std::string_view what = error.what();
  const auto begin = what.find("tried to allocate ");
  const auto end = what.find(" bytes", begin);
  return begin == std::string_view::npos || end == std::string_view::npos
             ? std::string()
             : " (" + std::string(what.substr(begin, end + 6 - begin)) + ")";
}

}  // namespace actswap
