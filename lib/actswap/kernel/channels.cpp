#include <actswap/kernel/channels.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace actswap {

namespace {

constexpr std::int64_t kLongRun = 32;    // elements; from here on a plane at a time is quicker
constexpr std::int64_t kPattern = 512;   // elements that are written out at least
constexpr std::int64_t kAlignment = 16;  // of the pattern's length: whole vectors, if it can be

}  // namespace

Channels::Channels(ChannelCalibration calibration, std::int64_t inner, double t)
    : calibration_(std::move(calibration)), inner_(inner), run_(inner), t_(t) {
  std::int64_t entries = count();
  if (inner < kLongRun) {
    run_ = 1;
    const std::int64_t period = count() * inner;
    const std::int64_t step = kAlignment / std::gcd(period, kAlignment);
    entries = period < kPattern
                  ? period * step * std::max<std::int64_t>(1, kPattern / (period * step))
                  : period;
  }
  const auto size = static_cast<std::size_t>(entries + kPadding);
  shift_.resize(size);
  factor_.resize(size);
  offset_.resize(size);
  for (std::int64_t entry = 0; entry < entries; ++entry) {
    const auto from = static_cast<std::size_t>(channel(entry * run_));
    const auto to = static_cast<std::size_t>(entry);
    shift_[to] = static_cast<float>(calibration_.d[from]);
    factor_[to] = static_cast<float>(t * calibration_.a[from]);
    offset_[to] = static_cast<float>(t * calibration_.b[from]);
  }
}

}  // namespace actswap
