#include <actswap/measure/median.h>

#include <cmath>

namespace actswap {

namespace {

// The largest k with P(B < k) <= 0.025, at least 1.
std::size_t rank(std::size_t count) {
  constexpr std::size_t kExact = 1000;  // beyond it 2^-n underflows, and the normal is as good
  const auto n = static_cast<double>(count);
  if (count > kExact) {
    return static_cast<std::size_t>(std::floor(0.5 * (n - 1.959964 * std::sqrt(n))));
  }
  double probability = std::exp2(-n);  // of B = k
  double below = 0.0;
  std::size_t k = 0;
  while (below + probability <= 0.025) {
    below += probability;
    probability *= (n - static_cast<double>(k)) / static_cast<double>(k + 1);
    ++k;
  }
  return std::max<std::size_t>(k, 1);
}

}  // namespace

MedianInterval median_interval(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto k = rank(values.size());
  return {values[k - 1], values[values.size() - k]};
}

}  // namespace actswap
