#include <actswap/calibrate/difference.h>
#include <actswap/calibrate/layer_errors.h>

#include <torch/script.h>

#include <algorithm>
#include <numeric>

namespace actswap {

namespace {

constexpr double kLeastVariance = 1e-12;
// Of a model that units were removed from: what a layer counts that has lost some of its outputs,
// and the last layer (docs/pruning.md). All others count 1.
constexpr double kWeightOfCut = 0.1;
constexpr double kWeightOfLast = 4.0;

// With channels in dimension 1; of a single example too, without a dimension of examples.
torch::Tensor in_front(const torch::Tensor& values, std::int64_t channel_dim) {
  const auto wide = widened(values);
  if (wide.dim() < 2) {
    return wide.reshape({1, -1});
  }
  return channel_dim == 1 ? wide : wide.flatten(0, -2);
}

// A channel of one value has no deviation: 0.
torch::Tensor standardised(const torch::Tensor& values) {
  if (values.numel() == values.size(1)) {
    return torch::zeros_like(values);
  }
  return torch::batch_norm(values, {}, {}, {}, {}, /*training=*/true, /*momentum=*/0.0,
                           kLeastVariance, /*cudnn_enabled=*/false);
}

// Of each channel.
torch::Tensor variances(const torch::Tensor& values) {
  std::vector<std::int64_t> all_but_channels(static_cast<std::size_t>(values.dim()));
  std::iota(all_but_channels.begin(), all_but_channels.end(), 0);
  all_but_channels.erase(all_but_channels.begin() + 1);
  return torch::var(values, all_but_channels, /*correction=*/0, /*keepdim=*/true);
}

// A share of what there is to explain.
torch::Tensor lacking(const torch::Tensor& value, const torch::Tensor& original,
                      std::int64_t channel_dim, bool is_standardised) {
  const auto ours = in_front(value, channel_dim);
  const auto theirs = in_front(original, channel_dim);
  if (is_standardised) {
    const auto square = (standardised(ours) - standardised(theirs)).square();
    const auto of_channels = variances(theirs);
    const auto mean = of_channels.mean();
    return (square * torch::where(mean > kLeastVariance, of_channels / mean, 0.0)).mean();
  }
  const auto to_explain = variances(theirs).mean();
  // What is the same for all inputs has nothing to explain.
  const auto scale = torch::where(to_explain > kLeastVariance, to_explain.reciprocal(), 0.0);
  return difference(ours, theirs).square().mean() * scale;
}

}  // namespace

LayerErrors::LayerErrors(const Program& program, const Neighbourhood& neighbours) {
  const auto is_read_by_site = [&](const torch::jit::Value* value) {
    return std::any_of(neighbours.sites.begin(), neighbours.sites.end(),
                       [&](const BlendSite& site) { return site.input == value; });
  };
  for (const auto& layer : neighbours.layers) {
    moments_.push_back({layer.compared, program.position(layer.compared->node()) + 1});
    compared_.push_back({.channel_dim = layer.is_convolution ? 1 : -1,
                         .is_standardised = is_read_by_site(layer.compared),
                         .kept = layer.kept_outputs});
  }
  weigh();
}

void LayerErrors::weigh() {
  const bool is_cut = std::any_of(compared_.begin(), compared_.end(),
                                  [](const Compared& layer) { return layer.kept.defined(); });
  if (!is_cut) {
    return;
  }
  std::size_t last = 0;
  for (std::size_t i = 0; i < compared_.size(); ++i) {
    compared_[i].weight = compared_[i].kept.defined() ? kWeightOfCut : 1.0;
    last = moments_[i].position > moments_[last].position ? i : last;
  }
  compared_[last].weight = kWeightOfLast;
}

torch::Tensor LayerErrors::mean(const std::vector<torch::Tensor>& values,
                                const std::vector<torch::Tensor>& originals) const {
  if (values.empty()) {
    return torch::zeros({});
  }
  torch::Tensor sum;
  double weights = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto& [channel_dim, is_standardised, kept, weight] = compared_[i];
    const auto part =
        lacking(values[i], of_kept(originals[i], kept, channel_dim), channel_dim, is_standardised) *
        weight;
    sum = sum.defined() ? sum + part : part;
    weights += weight;
  }
  return sum / weights;
}

}  // namespace actswap
