// How certain a mean is.
#pragma once

#include <actswap/base/export.h>

#include <cmath>
#include <cstdint>
#include <span>

namespace actswap {

/// A mean and the half width of its 95 % interval by Student's distribution:
///
///   mean +- q s / sqrt(n),   s^2 = sum (x - mean)^2 / (n - 1),   q = student_quantile(0.975, n -
///   1)
///
/// Pass it the differences of paired values: effects that two models share (a hard example, a lucky
/// seed) then cancel out.
struct Interval {
  double mean = 0.0;
  double half_width = 0.0;  ///< infinite where n < 2
  std::int64_t count = 0;   ///< n
  /// Whether 0 lies outside of it.
  bool is_distinct() const { return std::abs(mean) > half_width; }
};

/// @throws UsageError for no values
ACTSWAP_API Interval mean_interval(std::span<const double> values);

/// The t with P(T <= t) = probability for Student's T with these degrees of freedom.
/// @param probability in (0, 1)
/// @param degrees > 0
ACTSWAP_API double student_quantile(double probability, double degrees);

}  // namespace actswap
