#include <actswap/calibrate/shift.h>

#include <torch/torch.h>

namespace actswap {

namespace {

// Activations bend within about 1 of 0, whatever the scale of the channel.
constexpr double kLargest = 1.0;
constexpr double kStep = 0.1;
// Of the variance that is not explained: less is noise of the sample.
constexpr double kWorthwhile = 0.02;

// The share of b's variance that a leaves, for each channel: of b - a, or with the best factor
// 1 - r^2.
torch::Tensor unexplained(const torch::Tensor& a, const torch::Tensor& b, bool has_scale_one) {
  const auto da = a - a.mean(1, true);
  const auto db = b - b.mean(1, true);
  if (has_scale_one) {
    return (db - da).square().mean(1) / db.square().mean(1).clamp_min(1e-30);
  }
  const auto covariance = (da * db).mean(1);
  const auto variances = da.square().mean(1) * db.square().mean(1);
  return 1.0 - covariance.square() / variances.clamp_min(1e-30);
}

}  // namespace

torch::Tensor best_shift(const torch::Tensor& x, const torch::Tensor& x_original,
                         const torch::Tensor& y, bool has_scale_one,
                         const std::function<torch::Tensor(const torch::Tensor&)>& target) {
  const auto middle = x_original.mean(1) - x.mean(1);
  auto best = middle.clone();
  auto least = unexplained(target(x + middle.unsqueeze(1)), y, has_scale_one) * (1.0 - kWorthwhile);
  for (double step = -kLargest; step <= kLargest + 1e-9; step += kStep) {
    const auto d = middle + step;
    const auto found = unexplained(target(x + d.unsqueeze(1)), y, has_scale_one);
    best = torch::where(found < least, d, best);
    least = torch::minimum(found, least);
  }
  return best;
}

}  // namespace actswap
