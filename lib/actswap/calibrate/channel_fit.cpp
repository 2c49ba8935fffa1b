#include <actswap/calibrate/channel_fit.h>

#include <torch/torch.h>

#include <vector>

namespace actswap {

namespace {

// Below this share of its mean square a channel does not vary: its factor stays 1.
constexpr double kConstant = 1e-6;

}  // namespace

ChannelFit::ChannelFit(const Layer& layer) : layer_(layer) {
  const auto channels = layer.weight.size(1) * layer.groups;
  u_ = torch::zeros({channels}, torch::kDouble);
  v_ = torch::zeros_like(u_);
  uu_ = torch::zeros_like(u_);
  uv_ = torch::zeros_like(u_);
}

void ChannelFit::add(const torch::Tensor& input, const torch::Tensor& original) {
  const auto rows = [&](const torch::Tensor& values) {
    return values.movedim(layer_.is_convolution ? 1 : -1, 0).flatten(1).to(torch::kFloat);
  };
  const auto u = rows(input);
  const auto v = rows(original);
  count_ += static_cast<double>(u.size(1));
  u_ += u.sum(1, false, torch::kDouble);
  v_ += v.sum(1, false, torch::kDouble);
  uu_ += u.square().sum(1, false, torch::kDouble);
  uv_ += (u * v).sum(1, false, torch::kDouble);
}

ChannelFit::Correction ChannelFit::solve() const {
  const bool has_offset = layer_.bias.defined() || layer_.running_mean.defined();
  const auto mean_u = has_offset ? u_ / count_ : torch::zeros_like(u_);
  const auto mean_v = has_offset ? v_ / count_ : torch::zeros_like(v_);
  const auto variance = uu_ / count_ - mean_u.square();
  const auto covariance = uv_ / count_ - mean_u * mean_v;
  const auto varies = variance > kConstant * uu_ / count_;
  const auto a = torch::where(varies, covariance / variance, torch::ones_like(u_));
  const auto b = mean_v - a * mean_u;
  // One row of channels for each group of outputs.
  const auto outputs = layer_.weight.size(0);
  const auto of_output = [&](const torch::Tensor& channels) {
    return channels.reshape({layer_.groups, -1})
        .repeat_interleave(outputs / layer_.groups, 0)
        .reshape({outputs, layer_.weight.size(1), 1});
  };
  const auto weight =
      layer_.weight.to(torch::kDouble).reshape({outputs, layer_.weight.size(1), -1});
  const auto change = weight * (of_output(a) - 1.0);
  const auto offset = (weight * of_output(b)).sum({1, 2});
  return {change.reshape(layer_.weight.sizes()).to(layer_.weight.dtype()),
          offset.to(layer_.weight.dtype())};
}

}  // namespace actswap
