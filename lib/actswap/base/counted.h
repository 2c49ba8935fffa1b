// Numbers of things in sentences.
#pragma once

#include <concepts>
#include <string>

namespace actswap {

/// "1 pass", "3 passes". @param more the plural; empty: `one` with an s
template <std::integral T>
std::string counted(T count, const std::string& one, const std::string& more = {}) {
  return std::to_string(count) + " " + (count == 1 ? one : more.empty() ? one + "s" : more);
}

}  // namespace actswap
