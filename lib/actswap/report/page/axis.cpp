#include <actswap/report/formatted.h>
#include <actswap/report/page/axis.h>

#include <algorithm>
#include <cmath>

namespace actswap::page {

namespace {

constexpr int kMostTicks = 6;

// 1, 2 or 5 times a power of 10, so that the span has some five of it.
double round_step(double span) {
  const double rough = span / 4.0;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double share = rough / power;
  return power * (share < 1.5 ? 1.0 : share < 3.5 ? 2.0 : share < 7.5 ? 5.0 : 10.0);
}

std::vector<double> multiples(double low, double high) {
  const double step = round_step(high - low);
  std::vector<double> ticks;
  for (double k = std::ceil(low / step); k * step <= high && ticks.size() < 12; ++k) {
    ticks.push_back(k == 0.0 ? 0.0 : k * step);
  }
  return ticks;
}

std::vector<double> powers(double low, double high, const std::vector<double>& factors) {
  std::vector<double> ticks;
  for (double k = std::floor(std::log10(low)); std::pow(10.0, k) <= high; ++k) {
    for (const double factor : factors) {
      const double tick = factor * std::pow(10.0, k);
      if (tick >= low && tick <= high) {
        ticks.push_back(tick);
      }
    }
  }
  return ticks;
}

}  // namespace

std::string number_text(double value) {
  auto text = formatted("%.4g", value == 0.0 ? 0.0 : value);
  // "1e-07" is 1e-7 to people.
  if (const auto zero = text.find("e-0"); zero != std::string::npos) {
    text.erase(zero + 2, 1);
  } else if (const auto plus = text.find("e+"); plus != std::string::npos) {
    text.erase(plus + 1, text[plus + 2] == '0' ? 2 : 1);
  }
  for (auto at = text.find('-'); at != std::string::npos; at = text.find('-', at + 1)) {
    text.replace(at, 1, "−");
  }
  return text;
}

void Axis::include(double value) {
  const bool is_first = is_empty();
  low_ = is_first ? value : std::min(low_, value);
  high_ = is_first ? value : std::max(high_, value);
}

void Axis::pad(double share) {
  if (is_empty()) {
    include(0.0);
  }
  const double span = high_ - low_;
  const double room = span > 0.0 ? share * span : std::max(0.05 * std::abs(low_), 1e-9);
  low_ -= room;
  high_ += room;
}

void Axis::make_logarithmic() {
  is_logarithmic_ = !is_empty() && low_ > 0.0;
}

double Axis::at(double value) const {
  const auto scaled = [&](double x) { return is_logarithmic_ ? std::log(x) : x; };
  const double share = (scaled(value) - scaled(low_)) / (scaled(high_) - scaled(low_));
  // A span may be of one value, or wider than numbers reach.
  return begin_ + (end_ - begin_) * (std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0.5);
}

std::vector<double> Axis::ticks() const {
  if (is_empty() || !(high_ > low_)) {
    return {low_};
  }
  if (!is_logarithmic_) {
    return multiples(low_, high_);
  }
  auto ticks = powers(low_, high_, {1.0, 2.0, 5.0});
  if (ticks.size() > kMostTicks) {
    ticks = powers(low_, high_, {1.0});
  }
  std::vector<double> few;
  const std::size_t stride = (ticks.size() + kMostTicks - 1) / kMostTicks;
  for (std::size_t i = 0; i < ticks.size(); i += std::max<std::size_t>(stride, 1)) {
    few.push_back(ticks[i]);
  }
  return few;
}

}  // namespace actswap::page
