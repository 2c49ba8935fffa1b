#include <actswap/report/page/fields.h>

#include <cmath>

namespace actswap::page {

const Json& field(const Json& json, Path path) {
  static const Json kNone;
  const Json* found = &json;
  for (const auto key : path) {
    if (!found->is_object()) {
      return kNone;
    }
    const auto next = found->find(std::string(key));
    if (next == found->end()) {
      return kNone;
    }
    found = &*next;
  }
  return *found;
}

std::optional<double> number(const Json& json, Path path) {
  const auto& found = field(json, path);
  if (!found.is_number() || !std::isfinite(found.get<double>())) {
    return std::nullopt;
  }
  return found.get<double>();
}

std::string text(const Json& json, Path path) {
  const auto& found = field(json, path);
  return found.is_string() ? found.get<std::string>() : "";
}

bool is_true(const Json& json, Path path) {
  const auto& found = field(json, path);
  return found.is_boolean() && found.get<bool>();
}

const Json& list(const Json& json, Path path) {
  static const Json kNone = Json::array();
  const auto& found = field(json, path);
  return found.is_array() ? found : kNone;
}

std::vector<double> numbers(const Json& json, Path path) {
  std::vector<double> values;
  for (const auto& each : list(json, path)) {
    if (const auto value = number(each)) {
      values.push_back(*value);
    }
  }
  return values;
}

}  // namespace actswap::page
