// From values to places in a drawing.
#pragma once

#include <string>
#include <vector>

namespace actswap::page {

/// A figure for people: four significant digits, with U+2212 for a minus.
std::string number_text(double value);

/// A span of values and the pixels that it covers.
class Axis {
 public:
  /// @param begin, end pixels of the smallest and the largest value
  Axis(double begin, double end) : begin_(begin), end_(end) {}

  /// Widens the span to hold the value, which is finite.
  void include(double value);
  /// Adds this share of the span at both ends.
  void pad(double share);
  /// Values by their logarithm, where all are above 0.
  void make_logarithmic();

  double low() const { return low_; }
  double high() const { return high_; }
  double at(double value) const;
  /// Round numbers within the span: some three to six.
  std::vector<double> ticks() const;

 private:
  bool is_empty() const { return low_ > high_; }

  double begin_;
  double end_;
  double low_ = 1.0;
  double high_ = -1.0;  ///< below low: nothing is included yet
  bool is_logarithmic_ = false;
};

}  // namespace actswap::page
