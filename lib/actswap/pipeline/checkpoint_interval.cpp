#include <actswap/base/error.h>
#include <actswap/pipeline/checkpoint_interval.h>
#include <actswap/pipeline/text.h>

#include <charconv>
#include <cmath>
#include <utility>

namespace actswap {

namespace {

constexpr std::pair<std::string_view, double> kUnits[] = {{"s", 1.0}, {"min", 60.0}, {"h", 3600.0}};
constexpr double kMost = 1e9;

}  // namespace

CheckpointInterval CheckpointInterval::parse(std::string_view text) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const auto unit = text.substr(static_cast<std::size_t>(end - text.data()));
  const bool is_number = error == std::errc() && value >= 0.0 && value <= kMost;
  if (is_number && unit == "steps" && value == std::floor(value)) {
    return {.seconds = 0.0, .steps = static_cast<std::int64_t>(value)};
  }
  if (is_number && unit.empty() && value == 0.0) {
    return {.seconds = 0.0};
  }
  for (const auto& [name, seconds] : kUnits) {
    if (is_number && unit == name) {
      return {.seconds = value * seconds};
    }
  }
  throw UsageError(
      "Expected an interval of checkpoints like 10min, 30s, 2h or 500steps, but got '" +
      std::string(text) + "'");
}

std::string to_string(const CheckpointInterval& interval) {
  if (interval.steps > 0) {
    return std::to_string(interval.steps) + "steps";
  }
  const bool is_minutes = interval.seconds > 0.0 && std::fmod(interval.seconds, 60.0) == 0.0;
  return interval.seconds == 0.0 ? "0"
         : is_minutes            ? number(interval.seconds / 60.0) + "min"
                                 : number(interval.seconds) + "s";
}

}  // namespace actswap
