#include <actswap/calibrate/regression.h>

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

namespace actswap {

namespace {

// Of the mean square deviation of x.
constexpr double kRidges[] = {1e-3, 1e-2, 1e-1, 1.0};
// At most so many values of patches at a time, unless one example has more.
constexpr std::int64_t kPatchElements = std::int64_t{1} << 24;
// One of so many examples is held out.
constexpr std::int64_t kHeldOut = 8;

std::vector<std::int64_t> in_two_dimensions(const std::vector<std::int64_t>& of_layer,
                                            std::int64_t dimensions, std::int64_t neutral) {
  if (dimensions == 2) {
    return of_layer.size() == 2 ? of_layer : std::vector<std::int64_t>(2, of_layer.at(0));
  }
  return {neutral, of_layer.at(0)};
}

// Evenly spread over the places, which are the last dimension.
torch::Tensor thinned(const torch::Tensor& values, std::int64_t rows) {
  const auto places = values.size(-1);
  return places <= rows ? values : values.slice(-1, 0, places, (places + rows - 1) / rows);
}

torch::Tensor product(const torch::Tensor& a, const torch::Tensor& b) {
  return torch::bmm(a, b.transpose(1, 2)).to(torch::kDouble);
}

}  // namespace

Regression::Regression(const Layer& layer)
    : layer_(layer),
      has_offset_(layer.bias.defined() || layer.running_mean.defined()),
      features_(layer.weight.numel() / layer.weight.size(0)),
      outputs_(layer.weight.size(0) / layer.groups),
      fitted_(zeros()),
      held_out_(zeros()) {}

Regression::Sums Regression::zeros() const {
  const auto make = [&](const std::vector<std::int64_t>& shape) {
    return torch::zeros(shape, torch::TensorOptions().dtype(torch::kDouble));
  };
  const auto groups = layer_.groups;
  return {.x = make({groups, features_}),
          .r = make({groups, outputs_}),
          .xx = make({groups, features_, features_}),
          .xr = make({groups, features_, outputs_}),
          .rr = make({groups})};
}

// groups x features x places
torch::Tensor Regression::patches(const torch::Tensor& input) const {
  if (!layer_.is_convolution) {
    return input.reshape({-1, features_}).t().unsqueeze(0);
  }
  const auto dimensions = layer_.weight.dim() - 2;
  const auto image = dimensions == 2 ? input : input.unsqueeze(2);
  const auto kernel = dimensions == 2
                          ? std::vector<std::int64_t>{layer_.weight.size(2), layer_.weight.size(3)}
                          : std::vector<std::int64_t>{1, layer_.weight.size(2)};
  const auto columns =
      torch::im2col(image, kernel, in_two_dimensions(layer_.dilation, dimensions, 1),
                    in_two_dimensions(layer_.padding, dimensions, 0),
                    in_two_dimensions(layer_.stride, dimensions, 1));
  return columns.reshape({image.size(0), layer_.groups, features_, -1})
      .permute({1, 2, 0, 3})
      .reshape({layer_.groups, features_, -1});
}

void Regression::add(const torch::Tensor& input, const torch::Tensor& lacking, std::int64_t rows) {
  const auto examples = torch::arange(input.size(0));
  const auto is_held_out = examples.remainder(kHeldOut) == kHeldOut - 1;
  const auto held = examples.masked_select(is_held_out);
  const auto rest = examples.masked_select(is_held_out.logical_not());
  add_to(fitted_, input.index_select(0, rest), lacking.index_select(0, rest), rows);
  if (held.numel() > 0) {
    add_to(held_out_, input.index_select(0, held), lacking.index_select(0, held),
           rows / kHeldOut + 1);
  }
}

// A few examples at a time: the patches of a large image take many times its memory.
void Regression::add_to(Sums& sums, const torch::Tensor& input, const torch::Tensor& lacking,
                        std::int64_t rows) const {
  const auto examples = input.size(0);
  const auto places = std::max<std::int64_t>(
      1, lacking.numel() / std::max<std::int64_t>(1, examples * outputs_ * layer_.groups));
  const auto step =
      std::clamp<std::int64_t>(kPatchElements / (layer_.groups * features_ * places), 1, examples);
  for (std::int64_t begin = 0; begin < examples; begin += step) {
    const auto count = std::min(step, examples - begin);
    add_some(sums, input.narrow(0, begin, count), lacking.narrow(0, begin, count),
             rows * count / examples + 1);
  }
}

void Regression::add_some(Sums& sums, const torch::Tensor& input, const torch::Tensor& lacking,
                          std::int64_t rows) const {
  const auto all =
      layer_.is_convolution
          ? lacking.flatten(2).permute({1, 0, 2}).reshape({layer_.groups, outputs_, -1})
          : lacking.reshape({-1, outputs_}).t().unsqueeze(0);
  const auto r = thinned(all.to(torch::kFloat), rows);
  const auto x = thinned(patches(input.to(torch::kFloat)), rows);
  sums.count += static_cast<double>(x.size(2));
  sums.x += x.sum(2, false, torch::kDouble);
  sums.r += r.sum(2, false, torch::kDouble);
  sums.xx += product(x, x);
  sums.xr += product(x, r);
  sums.rr += r.square().sum({1, 2}, false, torch::kDouble);
}

Regression::Solution Regression::solve(double ridge) const {
  const auto& sums = fitted_;
  auto xx = sums.xx.clone();
  auto xr = sums.xr.clone();
  const auto mean_x = sums.x / sums.count;
  const auto mean_r = sums.r / sums.count;
  if (has_offset_) {
    xx -= sums.count * mean_x.unsqueeze(2) * mean_x.unsqueeze(1);
    xr -= sums.count * mean_x.unsqueeze(2) * mean_r.unsqueeze(1);
  }
  auto diagonal = xx.diagonal(0, 1, 2);
  // A group of dead inputs has no deviation: its correction is 0, not undefined.
  diagonal += ridge * diagonal.mean(1, true) + 1e-12;
  const auto weight = torch::linalg_solve(xx, xr);
  const auto offset = mean_r - torch::bmm(mean_x.unsqueeze(1), weight).squeeze(1);
  return {weight, has_offset_ ? offset : torch::zeros_like(offset)};
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
  const auto& judge = held_out_.count > 0.0 ? held_out_ : fitted_;
  Solution best = {torch::zeros_like(fitted_.xr), torch::zeros_like(fitted_.r)};
  Correction correction;
  correction.error_before = error(judge, best);
  correction.error_after = correction.error_before;
  for (const double ridge : kRidges) {
    const auto found = solve(ridge);
    const auto left = error(judge, found);
    if (left < correction.error_after) {
      best = found;
      correction.error_after = left;
    }
  }
  const auto dtype = layer_.weight.dtype();
  correction.weight = best.weight.transpose(1, 2).reshape(layer_.weight.sizes()).to(dtype);
  correction.offset = best.offset.reshape({layer_.weight.size(0)}).to(dtype);
  return correction;
}

}  // namespace actswap
