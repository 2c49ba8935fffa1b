#include <actswap/base/error.h>
#include <actswap/measure/statistics.h>

#include <limits>
#include <string>

namespace actswap {

namespace {

// The continued fraction of the incomplete beta function, by Lentz's method (Numerical Recipes,
// third edition, 6.4).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  const auto bounded = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1.0;
  double d = 1.0 / bounded(1.0 - (a + b) * x / (a + 1.0));
  double fraction = d;
  for (int m = 1; m <= 10000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m));
    d = 1.0 / bounded(1.0 + even * d);
    c = bounded(1.0 + even / c);
    fraction *= c * d;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0));
    d = 1.0 / bounded(1.0 + odd * d);
    c = bounded(1.0 + odd / c);
    fraction *= c * d;
    if (std::abs(c * d - 1.0) < 1e-15) {
      break;
    }
  }
  return fraction;
}

// I_x(a, b)
double incomplete_beta(double a, double b, double x) {
  if (x <= 0.0 || x >= 1.0) {
    return x <= 0.0 ? 0.0 : 1.0;
  }
  const double factor = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) +
                                 a * std::log(x) + b * std::log1p(-x));
  // The fraction converges fast on this side only.
  return x < (a + 1.0) / (a + b + 2.0) ? factor * beta_fraction(a, b, x) / a
                                       : 1.0 - factor * beta_fraction(b, a, 1.0 - x) / b;
}

// P(T > t) for t >= 0 is half of I_x(degrees / 2, 1 / 2) at x = degrees / (degrees + t^2).
double upper_tail(double t, double degrees) {
  return 0.5 * incomplete_beta(0.5 * degrees, 0.5, degrees / (degrees + t * t));
}

}  // namespace

double student_quantile(double probability, double degrees) {
  if (!(probability > 0.0 && probability < 1.0 && degrees > 0.0)) {
    throw UsageError(
        "Expected a probability in (0, 1) and degrees of freedom > 0, but got "
        "probability " +
        std::to_string(probability) + " and degrees " + std::to_string(degrees));
  }
  if (probability < 0.5) {
    return -student_quantile(1.0 - probability, degrees);
  }
  const double tail = 1.0 - probability;
  double low = 0.0;
  double high = 1.0;
  while (upper_tail(high, degrees) > tail) {
    low = high;
    high *= 2.0;
  }
  for (int i = 0; i < 200 && high - low > 1e-14 * high; ++i) {
    const double middle = 0.5 * (low + high);
    (upper_tail(middle, degrees) > tail ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

Interval mean_interval(std::span<const double> values) {
  if (values.empty()) {
    throw UsageError("Expected values to take the mean of, but there are none");
  }
  const auto n = static_cast<double>(values.size());
  Interval interval;
  interval.count = static_cast<std::int64_t>(values.size());
  for (const double value : values) {
    interval.mean += value;
  }
  interval.mean /= n;
  if (values.size() < 2) {
    interval.half_width = std::numeric_limits<double>::infinity();
    return interval;
  }
  double squares = 0.0;
  for (const double value : values) {
    squares += (value - interval.mean) * (value - interval.mean);
  }
  interval.half_width = student_quantile(0.975, n - 1.0) * std::sqrt(squares / (n - 1.0) / n);
  return interval;
}

}  // namespace actswap
