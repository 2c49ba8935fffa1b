// The middle of what was timed.
#pragma once

#include <algorithm>
#include <vector>

namespace actswap {

/// Of an even number of values the mean of the two in the middle. @param values not empty
inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

}  // namespace actswap
