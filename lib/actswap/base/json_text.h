// JSON as text.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace actswap {

/// The text is always valid: bytes of a path or a name that are not UTF-8 become U+FFFD.
template <typename Json>
std::string json_text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace actswap
