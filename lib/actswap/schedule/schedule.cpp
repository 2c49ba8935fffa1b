#include <actswap/base/error.h>
#include <actswap/schedule/schedule.h>

#include <array>
#include <cmath>
#include <numbers>
#include <sstream>
#include <utility>

namespace actswap {

namespace {

constexpr std::array<std::pair<Curve, const char*>, 4> kCurves = {{{Curve::linear, "linear"},
                                                                   {Curve::cosine, "cosine"},
                                                                   {Curve::cubic, "cubic"},
                                                                   {Curve::step, "step"}}};

}  // namespace

Schedule::Schedule(Curve curve, const ScheduleOptions& options) : curve_(curve), options_(options) {
  const auto fail = [](const char* what, double found) {
    std::ostringstream text;
    text << "Expected a schedule with " << what << ", but got " << found;
    throw UsageError(text.str());
  };
  if (!std::isfinite(options.begin) || options.begin < 0.0) {
    fail("begin >= 0", options.begin);
  }
  if (!std::isfinite(options.end) || options.end < options.begin) {
    fail("end >= begin", options.end);
  }
  if (!std::isfinite(options.hold) || options.hold < 0.0) {
    fail("hold >= 0", options.hold);
  }
}

double Schedule::at(double progress) const {
  if (progress >= options_.end) {
    return 1.0;
  }
  if (progress <= options_.begin) {
    return 0.0;
  }
  if (std::isnan(progress)) {
    throw UsageError("Expected the progress of a schedule to be a number, but got nan");
  }
  const double u = (progress - options_.begin) / (options_.end - options_.begin);
  switch (curve_) {
    case Curve::linear:
      return u;
    case Curve::cosine:
      return 0.5 * (1.0 - std::cos(std::numbers::pi * u));
    case Curve::cubic:
      return u * u * (3.0 - 2.0 * u);
    case Curve::step:
      return 0.0;
  }
  return 1.0;
}

Schedule Schedule::in_epochs(double steps_per_epoch) const {
  if (options_.unit == ScheduleUnit::epochs) {
    return *this;
  }
  if (!(steps_per_epoch > 0.0) || !std::isfinite(steps_per_epoch)) {
    throw UsageError("Expected more than 0 steps an epoch, but got " +
                     std::to_string(steps_per_epoch));
  }
  return {curve_,
          {.begin = options_.begin / steps_per_epoch,
           .end = options_.end / steps_per_epoch,
           .hold = options_.hold / steps_per_epoch,
           .unit = ScheduleUnit::epochs}};
}

std::vector<Schedule> one_after_another(const Schedule& schedule, std::size_t count) {
  if (count == 0) {
    throw UsageError("Expected one site or more in a schedule, but got 0");
  }
  const auto& whole = schedule.options();
  const auto border = [&](std::size_t i) {
    const double share = static_cast<double>(i) / static_cast<double>(count);
    return i == count ? whole.end : whole.begin + share * (whole.end - whole.begin);
  };
  std::vector<Schedule> windows;
  for (std::size_t i = 0; i < count; ++i) {
    auto options = whole;
    options.begin = border(i);
    options.end = border(i + 1);
    windows.emplace_back(schedule.curve(), options);
  }
  return windows;
}

Curve parse_curve(std::string_view name) {
  for (const auto& [curve, text] : kCurves) {
    if (name == text) {
      return curve;
    }
  }
  throw UsageError("Unknown curve '" + std::string(name) +
                   "'; expected linear, cosine, cubic or step");
}

std::string to_string(Curve curve) {
  for (const auto& [known, text] : kCurves) {
    if (curve == known) {
      return text;
    }
  }
  return "";
}

}  // namespace actswap
