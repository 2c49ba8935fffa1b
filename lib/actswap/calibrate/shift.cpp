#include <actswap/calibrate/shift.h>

#include <torch/torch.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace actswap {

namespace {

// Activations bend within about 1 of 0, whatever the scale of the channel.
constexpr double kLargestShift = 1.0;
constexpr double kShiftStep = 0.1;
constexpr double kScales[] = {1.0, 0.7, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0};
// Of the variance that is not explained: less is noise of the sample.
constexpr double kWorthwhile = 0.02;

// So many values at a time: what is computed from them stays in the cache.
constexpr std::int64_t kBlock = std::int64_t{1} << 16;

torch::Tensor centred(const torch::Tensor& values) {
  return values - values.mean(1, true);
}

torch::Tensor mean_square(const torch::Tensor& values) {
  return values.square().mean(1);
}

// The share of y that a leaves, for each channel: of its mean square or of its variance, as it is
// or with the best factor.
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

InputChange best_of_block(const ActivationSamples& samples,
                          const std::function<torch::Tensor(const torch::Tensor&)>& target,
                          Behind behind, bool may_scale) {
  const auto& x = samples.x;
  const auto middle = samples.x_original.mean(1) - x.mean(1);
  InputChange best = {torch::ones_like(middle), middle.clone()};
  auto least = unexplained(target(x + middle.unsqueeze(1)), samples, behind) * (1.0 - kWorthwhile);
  for (const double scale : kScales) {
    if (scale != 1.0 && !may_scale) {
      continue;
    }
    for (double step = -kLargestShift; step <= kLargestShift + 1e-9; step += kShiftStep) {
      const auto shift = scale * middle + step;
      const auto left = unexplained(target(scale * x + shift.unsqueeze(1)), samples, behind);
      const auto is_better = left < least;
      best.scale = torch::where(is_better, torch::full_like(best.scale, scale), best.scale);
      best.shift = torch::where(is_better, shift, best.shift);
      least = torch::minimum(left, least);
    }
  }
  return best;
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
