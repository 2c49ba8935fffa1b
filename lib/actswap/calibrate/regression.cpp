#include <actswap/calibrate/regression.h>
#include <actswap/calibrate/square.h>

#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <utility>

namespace actswap {

namespace {

// Of the mean square deviation of x.
constexpr double kRidges[] = {1e-4, 1e-3, 1e-2, 1e-1, 1.0};
constexpr std::size_t kFirstRidge = 1;
// Of a square matrix of the features: it and its factor in double, and one row held out for each
// feature.
constexpr std::int64_t kBytes = 8 + 8 + 4;

}  // namespace

std::int64_t Regression::widest(std::int64_t memory) {
  return static_cast<std::int64_t>(
      std::sqrt(static_cast<double>(memory) / static_cast<double>(kBytes)));
}

Regression::Regression(const Layer& layer, Together together)
    : layer_(layer), together_(std::move(together)), has_offset_(layer.takes_offset()) {
  const auto groups = layer.geometry.groups;
  const auto features = features_of(layer);
  const auto outputs = layer.weight.size(0) / groups;
  const auto make = [](const std::vector<std::int64_t>& shape) {
    return torch::zeros(shape, torch::TensorOptions().dtype(torch::kDouble));
  };
  x_ = make({groups, features});
  r_ = make({groups, outputs});
  xx_ = make({groups, features, features});
  xr_ = make({groups, features, outputs});
}

void Regression::add(LayerRows rows) {
  if (rows.is_held_out) {
    held_out_.push_back(std::move(rows));
    return;
  }
  const auto& x = rows.x;
  const auto& r = rows.lacking;
  count_ += static_cast<double>(x.size(1));
  x_ += x.sum(1, false, torch::kDouble);
  r_ += r.sum(1, false, torch::kDouble);
  add_square(x, xx_);
  xr_ += torch::bmm(x.transpose(1, 2), r);
}

void Regression::centre() {
  if (has_offset_ && count_ > 0.0) {
    const auto mean_x = (x_ / count_).unsqueeze(2);
    xx_.baddbmm_(mean_x, x_.unsqueeze(1), 1.0, -1.0);
    xr_.baddbmm_(mean_x, r_.unsqueeze(1), 1.0, -1.0);
  }
}

Regression::Solution Regression::nothing() const {
  Solution found = {torch::zeros_like(xr_), torch::zeros_like(r_)};
  found.error = error(found);
  return found;
}

// Returns nothing() if the ridge is too weak to make up for rounding.
Regression::Solution Regression::solve(double ridge) {
  auto diagonal = xx_.diagonal(0, 1, 2);
  const auto kept = diagonal.clone();
  // A group of dead inputs has no deviation: its correction is 0, not undefined.
  diagonal += ridge * kept.mean(1, true) + 1e-12;
  const auto [factor, failed] = torch::linalg_cholesky_ex(xx_, /*upper=*/true);
  diagonal.copy_(kept);
  if (failed.any().item<bool>()) {
    auto none = nothing();
    none.error = std::numeric_limits<double>::infinity();
    return none;
  }
  Solution found = {torch::cholesky_solve(xr_, factor, /*upper=*/true), torch::zeros_like(r_)};
  if (has_offset_ && count_ > 0.0) {
    const auto mean_x = (x_ / count_).unsqueeze(1);
    found.offset = r_ / count_ - torch::bmm(mean_x, found.weight).squeeze(1);
  }
  found.error = error(found);
  return found;
}

double Regression::error(const Solution& solution) const {
  const auto weight = solution.weight.to(torch::kFloat);
  const auto offset = solution.offset.to(torch::kFloat).unsqueeze(1);
  double sum = 0.0;
  double values = 0.0;
  for (const auto& rows : held_out_) {
    const auto left = torch::bmm(rows.x, weight) + offset - rows.lacking;
    sum += left.square_().sum(torch::kDouble).item<double>();
    values += static_cast<double>(left.numel());
  }
  sum = together_.sum(sum);
  values = together_.sum(values);
  return values == 0.0 ? 0.0 : std::sqrt(sum / values);
}

// The error falls and then rises with the ridge: up from the second as long as it falls, and down
// where it does not.
Regression::Correction Regression::solve() {
  count_ = together_.sum(count_);
  together_.add_up({x_, r_, xx_, xr_});
  centre();
  auto best = nothing();
  const double error_before = best.error;
  const auto try_ridge = [&](std::size_t ridge) {
    auto found = solve(kRidges[ridge]);
    const double error = found.error;
    if (error < best.error) {
      best = std::move(found);
    }
    return error;
  };
  const double first = try_ridge(kFirstRidge);
  double before = first;
  for (auto ridge = kFirstRidge + 1; ridge < std::size(kRidges); ++ridge) {
    const double error = try_ridge(ridge);
    if (!(error < before)) {
      break;
    }
    before = error;
  }
  if (before == first) {
    try_ridge(kFirstRidge - 1);
  }
  const auto dtype = layer_.weight.dtype();
  return {.weight = best.weight.transpose(1, 2).reshape(layer_.weight.sizes()).to(dtype),
          .offset = best.offset.reshape({layer_.weight.size(0)}).to(dtype),
          .error_before = error_before,
          .error_after = best.error};
}

}  // namespace actswap
