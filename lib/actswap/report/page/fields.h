// Reads fields of a run's record. A field that is missing or of another type counts as none,
// because records also come from other versions and from strangers.
#pragma once

#include <nlohmann/json.hpp>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace actswap::page {

using Json = nlohmann::ordered_json;
using Path = std::initializer_list<std::string_view>;

/// What lies there, from object to object; null where nothing does.
const Json& field(const Json& json, Path path);

/// Finite numbers alone.
std::optional<double> number(const Json& json, Path path = {});
std::string text(const Json& json, Path path = {});  ///< empty: none
bool is_true(const Json& json, Path path = {});
/// An array; an empty one where there is none.
const Json& list(const Json& json, Path path = {});
/// Its finite numbers.
std::vector<double> numbers(const Json& json, Path path = {});

}  // namespace actswap::page
