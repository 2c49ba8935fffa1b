// How t moves: a pure function of progress.
//
//   u = clamp((progress - begin) / (end - begin), 0, 1),  t = curve(u)
//   linear: u   cosine: (1 - cos(pi u)) / 2   cubic: u^2 (3 - 2u)   step: u < 1 ? 0 : 1
//
// Progress is in epochs, fractions allowed, and moves with every optimizer step; `begin`, `end` and
// `hold` given in steps become epochs once the number of steps in an epoch is known (in_epochs).
#pragma once

#include <actswap/base/export.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace actswap {

enum class Curve { linear, cosine, cubic, step };
enum class ScheduleUnit { epochs, steps };

struct ScheduleOptions {
  double begin = 0.0;  ///< progress at which t leaves 0; >= 0
  double end = 0.0;    ///< progress at which t reaches 1; >= begin; equal to begin: a jump
  double hold = 0.0;   ///< how long training must continue at t = 1 after `end`; >= 0
  ScheduleUnit unit = ScheduleUnit::epochs;
};

class ACTSWAP_API Schedule {
 public:
  /// @throws UsageError if begin < 0, end < begin, hold < 0, or one of them is not finite.
  Schedule(Curve curve, const ScheduleOptions& options);
  static Schedule linear(const ScheduleOptions& options) { return {Curve::linear, options}; }
  static Schedule cosine(const ScheduleOptions& options) { return {Curve::cosine, options}; }
  static Schedule cubic(const ScheduleOptions& options) { return {Curve::cubic, options}; }
  static Schedule step(const ScheduleOptions& options) { return {Curve::step, options}; }

  /// t in [0, 1], exactly 0 before `begin` and exactly 1 from `end` on. `progress` is in the
  /// schedule's own unit.
  double at(double progress) const;
  /// The least progress that a run needs: end + hold.
  double length() const { return options_.end + options_.hold; }
  /// The same schedule in epochs; steps_per_epoch > 0.
  Schedule in_epochs(double steps_per_epoch) const;

  Curve curve() const { return curve_; }
  const ScheduleOptions& options() const { return options_; }

 private:
  Curve curve_;
  ScheduleOptions options_;
};

/// The schedules of this many sites that move one after another: [begin, end] is divided into
/// windows of equal length, and in each t follows the curve from 0 to 1. Site i is at 1 when site
/// i + 1 begins.
/// @throws UsageError for a count of 0
ACTSWAP_API std::vector<Schedule> one_after_another(const Schedule& schedule, std::size_t count);

/// "linear", "cosine", "cubic", "step". @throws UsageError with the known names.
ACTSWAP_API Curve parse_curve(std::string_view name);
ACTSWAP_API std::string to_string(Curve curve);

}  // namespace actswap
