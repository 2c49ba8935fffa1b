#include <actswap/calibrate/shift_step.h>
#include <actswap/calibrate/square.h>

#include <torch/script.h>

namespace actswap {

namespace {

// A share of the diagonal's mean.
constexpr double kRidge = 1e-3;
constexpr double kDamping = 1e-2;
// Beyond this the slope tells nothing.
constexpr double kLargestStep = 0.5;

torch::Tensor with_ridge(const torch::Tensor& matrix, double ridge) {
  auto found = matrix.clone();
  auto diagonal = found.diagonal();
  diagonal += ridge * diagonal.mean() + 1e-12;
  return found;
}

torch::Tensor symmetric(const torch::Tensor& upper) {
  return upper.triu() + upper.triu(1).t();
}

}  // namespace

ShiftStep::ShiftStep(const Layer& layer) : layer_(layer) {
  const auto outputs = layer.weight.size(0);
  const auto features = layer.weight.numel() / outputs;
  const auto make = [](const std::vector<std::int64_t>& shape) {
    return torch::zeros(shape, torch::TensorOptions().dtype(torch::kDouble));
  };
  x_ = make({features});
  s_ = make({features});
  e_ = make({outputs});
  xx_ = make({1, features, features});
  xs_ = make({features, features});
  ss_ = make({1, features, features});
  se_ = make({features, outputs});
}

void ShiftStep::add(const LayerRows& rows, const torch::Tensor& slope) {
  const auto x = rows.x[0];
  const auto s = slope[0];
  const auto e = rows.lacking[0];
  count_ += static_cast<double>(x.size(0));
  x_ += x.sum(0, false, torch::kDouble);
  s_ += s.sum(0, false, torch::kDouble);
  e_ += e.sum(0, false, torch::kDouble);
  add_square(rows.x, xx_);
  xs_ += x.t().mm(s);
  add_square(slope, ss_);
  se_ += s.t().mm(e);
}

void ShiftStep::add_up(const Together& together) {
  count_ = together.sum(count_);
  together.add_up({x_, s_, e_, xx_, xs_, ss_, se_});
}

torch::Tensor ShiftStep::solve() const {
  const auto centred = [&](const torch::Tensor& product, const torch::Tensor& a,
                           const torch::Tensor& b) {
    return product - torch::outer(a, b) / count_;
  };
  const auto xs = centred(xs_, x_, s_);
  const auto [factor, failed] =
      torch::linalg_cholesky_ex(with_ridge(centred(xx_[0], x_, x_), kRidge), /*upper=*/true);
  const auto channels = layer_.weight.size(1);
  if (failed.any().item<bool>()) {
    return torch::zeros({channels}, torch::kDouble);
  }
  const auto off_x = centred(symmetric(ss_[0]), s_, s_) -
                     xs.t().mm(torch::cholesky_solve(xs, factor, /*upper=*/true));
  const auto w = layer_.weight.to(torch::kDouble).flatten(1);
  const auto h = (off_x * w.t().mm(w)).reshape({channels, -1, channels, off_x.size(0) / channels});
  const auto g = (centred(se_, s_, e_) * w.t()).sum(1).reshape({channels, -1}).sum(1, true);
  const auto [h_factor, h_failed] = torch::linalg_cholesky_ex(with_ridge(h.sum({1, 3}), kDamping));
  return h_failed.any().item<bool>()
             ? torch::zeros({channels}, torch::kDouble)
             : torch::cholesky_solve(g, h_factor).squeeze(1).clamp(-kLargestStep, kLargestStep);
}

}  // namespace actswap
