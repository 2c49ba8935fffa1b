#include <actswap/calibrate/channel_fit.h>
#include <actswap/calibrate/channel_rows.h>

#include <torch/script.h>

#include <vector>

namespace actswap {

namespace {

// A channel whose variance is below this share of its mean square counts as constant: factor 1.
constexpr double kConstant = 1e-6;

}  // namespace

ChannelFit::ChannelFit(std::int64_t channels, std::int64_t channel_dim, bool has_offset)
    : channel_dim_(channel_dim),
      has_offset_(has_offset),
      u_(torch::zeros({channels}, torch::kDouble)),
      v_(torch::zeros_like(u_)),
      uu_(torch::zeros_like(u_)),
      uv_(torch::zeros_like(u_)) {}

void ChannelFit::add(const torch::Tensor& now, const torch::Tensor& original) {
  const auto u = channel_rows(now, channel_dim_);
  const auto v = channel_rows(original, channel_dim_);
  count_ += static_cast<double>(u.size(1));
  u_ += u.sum(1, false, torch::kDouble);
  v_ += v.sum(1, false, torch::kDouble);
  uu_ += u.square().sum(1, false, torch::kDouble);
  uv_ += (u * v).sum(1, false, torch::kDouble);
}

void ChannelFit::add_up(const Together& together) {
  count_ = together.sum(count_);
  together.add_up({u_, v_, uu_, uv_});
}

ChannelFit::Line ChannelFit::solve() const {
  const auto mean_u = has_offset_ ? u_ / count_ : torch::zeros_like(u_);
  const auto mean_v = has_offset_ ? v_ / count_ : torch::zeros_like(v_);
  const auto variance = uu_ / count_ - mean_u.square();
  const auto covariance = uv_ / count_ - mean_u * mean_v;
  const auto varies = variance > kConstant * uu_ / count_;
  const auto a = torch::where(varies, covariance / variance, torch::ones_like(u_));
  return {a, mean_v - a * mean_u};
}

LayerChange folded(const Layer& layer, const ChannelFit::Line& line) {
  // One row of channels for each group of outputs.
  const auto outputs = layer.weight.size(0);
  const auto of_output = [&](const torch::Tensor& channels) {
    return channels.reshape({layer.geometry.groups, -1})
        .repeat_interleave(outputs / layer.geometry.groups, 0)
        .reshape({outputs, layer.weight.size(1), 1});
  };
  const auto weight = layer.weight.to(torch::kDouble).reshape({outputs, layer.weight.size(1), -1});
  const auto change = weight * (of_output(line.factor) - 1.0);
  const auto offset = (weight * of_output(line.offset)).sum({1, 2});
  return {change.reshape(layer.weight.sizes()).to(layer.weight.dtype()),
          offset.to(layer.weight.dtype())};
}

}  // namespace actswap
