// The middle of what was timed.
#pragma once

#include <actswap/base/export.h>

#include <algorithm>
#include <cstddef>
#include <vector>

namespace actswap {

/// Of an even number of values the mean of the two in the middle. @param values not empty
inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

/// Where a median lies with a probability of 95 % or more.
struct MedianInterval {
  double low = 0.0;
  double high = 0.0;
  bool contains(double value) const { return low <= value && value <= high; }
};

/// From the k-th smallest value to the k-th largest, with the largest k for which
///   P(B < k) <= 0.025,   B binomial with n trials of 1/2
/// so it assumes nothing about the distribution of the values. Fewer than kLeastForInterval values
/// have no such k: the interval then goes from the smallest to the largest.
/// @param values not empty
ACTSWAP_API MedianInterval median_interval(std::vector<double> values);
constexpr std::size_t kLeastForInterval = 6;

}  // namespace actswap
