#include <actswap/calibrate/shift.h>

#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace actswap {

namespace {

// Activations bend within about 1 of 0, whatever the scale of the channel.
constexpr double kLargestShift = 1.0;
constexpr double kShiftStep = 0.1;
// Wider shifts are only for channels of which all of these leave more than half unexplained. Others
// would gain nothing: by itself each follows the straight part of the target best, but that gives
// the layers behind nothing to combine.
constexpr double kFarthestShift = 3.0;
constexpr double kFarStep = 0.5;
constexpr double kLost = 0.5;
constexpr double kScales[] = {1.0, 0.7, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0};
// Share of the unexplained variance: a smaller gain is noise of the sample.
constexpr double kWorthwhile = 0.02;
// Share of all variance: a smaller difference is rounding, which must not choose a shift.
constexpr double kRounding = 1e-6;

// So many values at a time: what is computed from them stays in the cache.
constexpr std::int64_t kBlock = std::int64_t{1} << 16;

torch::Tensor centred(const torch::Tensor& values) {
  return values - values.mean(1, true);
}

torch::Tensor mean_square(const torch::Tensor& values) {
  return values.square().mean(1);
}

// The share of y that a does not explain, for each channel: of y's mean square or of its variance,
// with a as it is or times the best factor.
torch::Tensor unexplained(const torch::Tensor& a, const ActivationSamples& samples, Behind behind) {
  switch (behind) {
    case Behind::nothing:
      return mean_square(samples.y - a) / mean_square(samples.y).clamp_min(1e-30);
    case Behind::sum:
      return mean_square(centred(samples.y - a)) / mean_square(centred(samples.y)).clamp_min(1e-30);
    case Behind::gate:
    case Behind::layers:
      break;
  }
  const auto da = behind == Behind::gate ? a : centred(a);
  const auto dy = behind == Behind::gate ? samples.y : centred(samples.y);
  const auto variances = mean_square(da) * mean_square(dy);
  return 1.0 - (da * dy).mean(1).square() / variances.clamp_min(1e-30);
}

class Search {
 public:
  Search(const ActivationSamples& samples,
         const std::function<torch::Tensor(const torch::Tensor&)>& target, Behind behind)
      : samples_(samples), target_(target), behind_(behind) {
    const auto middle = samples.x_original.mean(1) - samples.x.mean(1);
    best_ = {torch::ones_like(middle), middle};
    least_ = left(best_) * (1.0 - kWorthwhile);
  }

  const InputChange& best() const { return best_; }

  // Up to this distance on both sides.
  void try_shifts(const InputChange& around, double distance, double step) {
    const auto steps = std::lround(distance / step);
    for (auto i = -steps; i <= steps; ++i) {
      take_if_better({around.scale, around.shift + static_cast<double>(i) * step});
    }
  }

  // From here on the trials serve only channels that are lost so far.
  void look_at_lost_channels() {
    least_ = torch::where(least_ > kLost, least_, torch::zeros_like(least_));
  }
  bool has_lost_channels() const { return (least_ > kLost).any().item<bool>(); }

 private:
  torch::Tensor left(const InputChange& change) const {
    const auto x = change.scale.unsqueeze(1) * samples_.x + change.shift.unsqueeze(1);
    return unexplained(target_(x), samples_, behind_);
  }

  void take_if_better(const InputChange& change) {
    const auto found = left(change);
    const auto is_better = found < least_ - kRounding;
    best_.scale = torch::where(is_better, change.scale, best_.scale);
    best_.shift = torch::where(is_better, change.shift, best_.shift);
    least_ = torch::where(is_better, found, least_);
  }

  const ActivationSamples& samples_;
  const std::function<torch::Tensor(const torch::Tensor&)>& target_;
  Behind behind_;
  InputChange best_;
  torch::Tensor least_;
};

InputChange best_of_block(const ActivationSamples& samples,
                          const std::function<torch::Tensor(const torch::Tensor&)>& target,
                          Behind behind, bool may_scale) {
  Search search(samples, target, behind);
  const auto start = search.best();
  const auto try_all = [&](double distance, double step) {
    for (const double scale : kScales) {
      if (scale == 1.0 || may_scale) {
        search.try_shifts({scale * start.scale, scale * start.shift}, distance, step);
      }
    }
  };
  try_all(kLargestShift, kShiftStep);
  if (search.has_lost_channels()) {
    search.look_at_lost_channels();
    try_all(kFarthestShift, kFarStep);
  }
  return search.best();
}

}  // namespace

InputChange best_input_change(const ActivationSamples& samples,
                              const std::function<torch::Tensor(const torch::Tensor&)>& target,
                              Behind behind, bool may_scale) {
  const auto channels = samples.x.size(0);
  const auto step = std::clamp<std::int64_t>(kBlock / samples.x.size(1), 1, channels);
  std::vector<torch::Tensor> scales;
  std::vector<torch::Tensor> shifts;
  for (std::int64_t begin = 0; begin < channels; begin += step) {
    const auto part = [&](const torch::Tensor& values) {
      return values.narrow(0, begin, std::min(step, channels - begin));
    };
    auto best = best_of_block({part(samples.x), part(samples.x_original), part(samples.y)}, target,
                              behind, may_scale);
    scales.push_back(std::move(best.scale));
    shifts.push_back(std::move(best.shift));
  }
  return {torch::cat(scales), torch::cat(shifts)};
}

}  // namespace actswap
