#include <actswap/calibrate/shift.h>

#include <torch/torch.h>

namespace actswap {

namespace {

// Activations bend within about 1 of 0, whatever the scale of the channel.
constexpr double kLargestShift = 1.0;
constexpr double kShiftStep = 0.1;
constexpr double kScales[] = {1.0, 0.7, 1.4, 2.0, 2.8, 4.0};
// Of the variance that is not explained: less is noise of the sample.
constexpr double kWorthwhile = 0.02;

// The share of b that a leaves, for each channel: of its mean square, of its variance, or with the
// best factor 1 - r^2.
torch::Tensor unexplained(const torch::Tensor& a, const torch::Tensor& b, Behind behind) {
  if (behind == Behind::nothing) {
    return (b - a).square().mean(1) / b.square().mean(1).clamp_min(1e-30);
  }
  const auto da = a - a.mean(1, true);
  const auto db = b - b.mean(1, true);
  if (behind == Behind::sum) {
    return (db - da).square().mean(1) / db.square().mean(1).clamp_min(1e-30);
  }
  const auto covariance = (da * db).mean(1);
  const auto variances = da.square().mean(1) * db.square().mean(1);
  return 1.0 - covariance.square() / variances.clamp_min(1e-30);
}

}  // namespace

InputChange best_input_change(const ActivationSamples& samples,
                              const std::function<torch::Tensor(const torch::Tensor&)>& target,
                              Behind behind, bool may_scale) {
  const auto& [x, x_original, y] = samples;
  const auto middle = x_original.mean(1) - x.mean(1);
  InputChange best = {torch::ones_like(middle), middle.clone()};
  auto least = unexplained(target(x + middle.unsqueeze(1)), y, behind) * (1.0 - kWorthwhile);
  for (const double scale : kScales) {
    if (scale != 1.0 && !may_scale) {
      continue;
    }
    for (double step = -kLargestShift; step <= kLargestShift + 1e-9; step += kShiftStep) {
      const auto shift = scale * middle + step;
      const auto left = unexplained(target(scale * x + shift.unsqueeze(1)), y, behind);
      const auto is_better = left < least;
      best.scale = torch::where(is_better, torch::full_like(best.scale, scale), best.scale);
      best.shift = torch::where(is_better, shift, best.shift);
      least = torch::minimum(left, least);
    }
  }
  return best;
}

}  // namespace actswap
