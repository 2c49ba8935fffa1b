#include <actswap/base/error.h>
#include <actswap/train/learning_rate.h>
#include <actswap/train/trainer.h>

#include <charconv>
#include <cmath>
#include <numbers>
#include <sstream>

namespace actswap {

LearningRate LearningRate::parse(std::string_view text) {
  if (text == "calibrated") {
    return {.kind = Kind::calibrated};
  }
  if (text == "auto") {
    return {.kind = Kind::swept};
  }
  if (text == "search") {
    return {.kind = Kind::searched};
  }
  constexpr std::string_view kRelative = "rms";
  LearningRate rate;
  const auto whole = text;
  rate.is_relative = text.ends_with(kRelative);
  text.remove_suffix(rate.is_relative ? kRelative.size() : 0);
  const char* end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, rate.value);
  if (error != std::errc() || read != end || !std::isfinite(rate.value) || rate.value <= 0.0) {
    throw UsageError(
        "Expected as learning rate search, calibrated, auto, a number above 0 or one like "
        "0.001rms, "
        "but got '" +
        std::string(whole) + "'");
  }
  return rate;
}

std::string to_string(const LearningRate& rate) {
  switch (rate.kind) {
    case LearningRate::Kind::calibrated:
      return "calibrated";
    case LearningRate::Kind::swept:
      return "auto";
    case LearningRate::Kind::searched:
      return "search";
    case LearningRate::Kind::fixed:
      break;
  }
  std::ostringstream text;
  text << rate.value << (rate.is_relative ? "rms" : "");
  return text.str();
}

double learning_rate_at(std::int64_t step, std::int64_t total_steps, const TrainOptions& options) {
  if (step >= total_steps) {
    return 0.0;
  }
  // The small term undoes rounding: 0.3 * 10 is meant to be 3. As warmup < 1, w < total_steps.
  const double w = std::floor(options.warmup * static_cast<double>(total_steps) * (1.0 + 1e-12));
  const auto done = static_cast<double>(step);
  if (done < w) {
    return options.learning_rate * (done + 1.0) / w;
  }
  const double u = (done - w) / (static_cast<double>(total_steps) - w);
  return options.learning_rate * 0.5 * (1.0 + std::cos(std::numbers::pi * u));
}

}  // namespace actswap
