#include <actswap/calibrate/patches.h>
#include <actswap/calibrate/regression.h>

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace actswap {

namespace {

// Of the mean square deviation of x.
constexpr double kRidges[] = {1e-4, 1e-3, 1e-2, 1e-1, 1.0};
// At most so many values of patches at a time, unless one example has more: some 16 MiB.
constexpr std::int64_t kPatchElements = std::int64_t{1} << 22;
// One of so many examples is held out.
constexpr std::int64_t kHeldOut = 8;
// Of a square matrix so many rows at a time, so that what is below the diagonal need not be made.
constexpr std::int64_t kBlock = 256;

// x^T x, in float, of the blocks on and above the diagonal; added to a matrix in double.
void add_square(const torch::Tensor& x, torch::Tensor& to) {
  const auto features = x.size(2);
  const auto transposed = x.transpose(1, 2);
  for (std::int64_t begin = 0; begin < features; begin += kBlock) {
    const auto rows = std::min(kBlock, features - begin);
    const auto columns = features - begin;
    to.narrow(1, begin, rows).narrow(2, begin, columns) +=
        torch::bmm(transposed.narrow(1, begin, rows), x.narrow(2, begin, columns));
  }
}

torch::Tensor symmetric(const torch::Tensor& upper) {
  return upper.triu() + upper.triu(1).transpose(1, 2);
}

}  // namespace

Regression::Regression(const Layer& layer)
    : layer_(layer),
      has_offset_(layer.takes_offset()),
      features_(layer.weight.numel() / layer.weight.size(0)),
      outputs_(layer.weight.size(0) / layer.geometry.groups),
      fitted_(zeros()),
      held_out_(zeros()) {}

Regression::Sums Regression::zeros() const {
  const auto make = [&](const std::vector<std::int64_t>& shape) {
    return torch::zeros(shape, torch::TensorOptions().dtype(torch::kDouble));
  };
  const auto groups = layer_.geometry.groups;
  return {.x = make({groups, features_}),
          .r = make({groups, outputs_}),
          .xx = make({groups, features_, features_}),
          .xr = make({groups, features_, outputs_}),
          .rr = make({groups})};
}

void Regression::add(const torch::Tensor& input, const torch::Tensor& lacking, std::int64_t rows) {
  // More than the rows where they are parts of examples: tokens, windows.
  const auto examples = input.size(0);
  const auto places =
      some_numbers(places_of(layer_, lacking), (rows + examples - 1) / examples, batches_++);
  const auto first = std::exchange(examples_, examples_ + examples);
  const auto number = first + some_numbers(examples, rows, batches_);
  const auto is_held_out = number.remainder(kHeldOut).eq(kHeldOut - 1);
  for (const bool held : {false, true}) {
    const auto which = number.masked_select(is_held_out == held) - first;
    if (which.numel() > 0) {
      add_to(held ? held_out_ : fitted_, input.index_select(0, which),
             lacking.index_select(0, which), places);
    }
  }
}

// A few examples at a time: the patches of an image may take many times its memory.
void Regression::add_to(Sums& sums, const torch::Tensor& input, const torch::Tensor& lacking,
                        const torch::Tensor& places) const {
  const auto examples = input.size(0);
  const auto step = std::clamp<std::int64_t>(
      kPatchElements / (layer_.geometry.groups * features_ * places.numel()), 1, examples);
  for (std::int64_t begin = 0; begin < examples; begin += step) {
    const auto count = std::min(step, examples - begin);
    const auto some = input.narrow(0, begin, count);
    const auto lacks = lacking.narrow(0, begin, count);
    const auto x = patches(layer_, some, lacks, places);
    const auto r = values_at(layer_, lacks, places);
    sums.count += static_cast<double>(x.size(1));
    sums.x += x.sum(1, false, torch::kDouble);
    sums.r += r.sum(1, false, torch::kDouble);
    add_square(x, sums.xx);
    sums.xr += torch::bmm(x.transpose(1, 2), r);
    sums.rr += r.square().sum({1, 2}, false, torch::kDouble);
  }
}

Regression::Solution Regression::solve(const Sums& centred, double ridge) const {
  auto xx = centred.xx.clone();
  auto diagonal = xx.diagonal(0, 1, 2);
  // A group of dead inputs has no deviation: its correction is 0, not undefined.
  diagonal += ridge * diagonal.mean(1, true) + 1e-12;
  const auto [factor, failed] = torch::linalg_cholesky_ex(xx);
  if (failed.any().item<bool>()) {
    return {};
  }
  const auto weight = torch::cholesky_solve(centred.xr, factor);
  if (!has_offset_) {
    return {weight, torch::zeros_like(centred.r)};
  }
  const auto mean_x = (centred.x / centred.count).unsqueeze(1);
  return {weight, centred.r / centred.count - torch::bmm(mean_x, weight).squeeze(1)};
}

// The square of W x + b - r, multiplied out.
double Regression::error(const Sums& sums, const Solution& solution) const {
  const auto& [w, b] = solution;
  const auto wx = torch::bmm(sums.x.unsqueeze(1), w).squeeze(1);
  const auto square = (w * torch::bmm(sums.xx, w)).sum() - 2.0 * (w * sums.xr).sum() +
                      2.0 * (b * wx).sum() - 2.0 * (b * sums.r).sum() +
                      sums.count * b.square().sum() + sums.rr.sum();
  const auto values = sums.count * static_cast<double>(layer_.weight.size(0));
  return std::sqrt(std::max(0.0, square.item<double>()) / values);
}

Regression::Correction Regression::solve() const {
  auto judge = held_out_.count > 0.0 ? held_out_ : fitted_;
  judge.xx = symmetric(judge.xx);
  auto centred = fitted_;
  centred.xx = symmetric(fitted_.xx);
  if (has_offset_) {
    const auto mean_x = centred.x / centred.count;
    centred.xx -= mean_x.unsqueeze(2) * centred.x.unsqueeze(1);
    centred.xr = centred.xr - mean_x.unsqueeze(2) * centred.r.unsqueeze(1);
  }
  Solution best = {torch::zeros_like(fitted_.xr), torch::zeros_like(fitted_.r)};
  Correction correction;
  correction.error_before = error(judge, best);
  correction.error_after = correction.error_before;
  for (const double ridge : kRidges) {
    auto found = solve(centred, ridge);
    if (!found.weight.defined()) {
      continue;  // too weak to make up for rounding
    }
    const auto left = error(judge, found);
    if (left < correction.error_after) {
      best = std::move(found);
      correction.error_after = left;
    }
  }
  const auto dtype = layer_.weight.dtype();
  correction.weight = best.weight.transpose(1, 2).reshape(layer_.weight.sizes()).to(dtype);
  correction.offset = best.offset.reshape({layer_.weight.size(0)}).to(dtype);
  return correction;
}

}  // namespace actswap
