#include <actswap/calibrate/difference.h>
#include <actswap/calibrate/layer_errors.h>

#include <torch/script.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <unordered_set>

namespace actswap {

namespace {

constexpr double kLeastVariance = 1e-12;
// In a model that lost units: the weight of a layer that lost some of its outputs, and the weight
// of a layer that no other follows (docs/pruning.md). All others have weight 1.
constexpr double kWeightOfCut = 0.1;
constexpr double kWeightOfLast = 4.0;

// Puts channels into dimension 1, also for a single example without a batch dimension.
torch::Tensor in_front(const torch::Tensor& values, std::int64_t channel_dim) {
  const auto wide = widened(values);
  if (wide.dim() < 2) {
    return wide.reshape({1, -1});
  }
  return channel_dim == 1 ? wide : wide.flatten(0, -2);
}

std::vector<std::int64_t> all_but_channels(const torch::Tensor& values) {
  std::vector<std::int64_t> dims(static_cast<std::size_t>(values.dim()));
  std::iota(dims.begin(), dims.end(), 0);
  dims.erase(dims.begin() + 1);
  return dims;
}

// Sums over the ranks, sent in one piece.
std::vector<torch::Tensor> summed(const std::vector<torch::Tensor>& own, const Together& together) {
  std::vector<torch::Tensor> flat;
  std::vector<std::int64_t> sizes;
  for (const auto& part : own) {
    flat.push_back(part.flatten());
    sizes.push_back(part.numel());
  }
  auto sums = together.sum_with_gradient(torch::cat(flat)).split_with_sizes(sizes);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    sums[i] = sums[i].view_as(own[i]);
  }
  return sums;
}

// Values of a layer as they are compared, with the statistics of their channels.
struct ComparedValues {
  torch::Tensor values;
  torch::Tensor mean = {};  // undefined if one process works alone: its kernels need none
  torch::Tensor variance = {};
};

// Measures the values of all ranks.
void measure_together(const std::vector<ComparedValues*>& all, const Together& together) {
  const auto counts = torch::zeros({static_cast<std::int64_t>(all.size())}, torch::kDouble);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& values = all[i]->values;
    counts[static_cast<std::int64_t>(i)] = values.numel() / values.size(1);
  }
  together.add_up({counts});
  const auto means_of = [&](const std::function<torch::Tensor(const ComparedValues&)>& of) {
    std::vector<torch::Tensor> sums;
    for (const auto* compared : all) {
      const auto values = of(*compared);
      sums.push_back(values.sum(all_but_channels(values), /*keepdim=*/true));
    }
    sums = summed(sums, together);
    for (std::size_t i = 0; i < all.size(); ++i) {
      sums[i] = sums[i] / counts[static_cast<std::int64_t>(i)].item<double>();
    }
    return sums;
  };
  const auto means = means_of([](const ComparedValues& compared) { return compared.values; });
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i]->mean = means[i];
  }
  const auto variances = means_of(
      [](const ComparedValues& compared) { return (compared.values - compared.mean).square(); });
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i]->variance = variances[i];
  }
}

void measure(const std::vector<ComparedValues*>& all, const Together& together) {
  if (!together.is_alone()) {
    measure_together(all, together);
    return;
  }
  for (auto* compared : all) {
    const auto& values = compared->values;
    compared->variance =
        torch::var(values, all_but_channels(values), /*correction=*/0, /*keepdim=*/true);
  }
}

// A channel of one value has no deviation: 0.
torch::Tensor standardised(const ComparedValues& compared) {
  const auto& [values, mean, variance] = compared;
  if (mean.defined()) {
    return (values - mean) * (variance + kLeastVariance).rsqrt();
  }
  if (values.numel() == values.size(1)) {
    return torch::zeros_like(values);
  }
  return torch::batch_norm(values, {}, {}, {}, {}, /*training=*/true, /*momentum=*/0.0,
                           kLeastVariance, /*cudnn_enabled=*/false);
}

// The error as a share of the variance to explain.
torch::Tensor lacking(const ComparedValues& ours, const ComparedValues& theirs,
                      bool is_standardised) {
  const auto mean = theirs.variance.mean();
  if (is_standardised) {
    const auto square = (standardised(ours) - standardised(theirs)).square();
    return (square * torch::where(mean > kLeastVariance, theirs.variance / mean, 0.0)).mean();
  }
  // A value that is the same for all inputs has no variance to explain.
  const auto scale = torch::where(mean > kLeastVariance, mean.reciprocal(), 0.0);
  return difference(ours.values, theirs.values).square().mean() * scale;
}

// All nodes that the layers' inputs depend on.
std::unordered_set<const torch::jit::Node*> nodes_before(const std::vector<Layer>& layers) {
  std::unordered_set<const torch::jit::Node*> found;
  std::vector<const torch::jit::Node*> to_visit;
  for (const auto& layer : layers) {
    to_visit.push_back(layer.input->node());
  }
  while (!to_visit.empty()) {
    const auto* node = to_visit.back();
    to_visit.pop_back();
    if (!found.insert(node).second) {
      continue;
    }
    for (const auto* input : node->inputs()) {
      to_visit.push_back(input->node());
    }
    for (const auto* block : node->blocks()) {
      to_visit.push_back(block->return_node());
    }
  }
  return found;
}

// Which of the original's channels a site has: those of the layer before it.
torch::Tensor kept_before(const BlendSite& site, const std::vector<Layer>& layers) {
  const auto layer = std::ranges::find(layers, site.input, &Layer::compared);
  return layer == layers.end() ? torch::Tensor() : layer->kept_outputs;
}

}  // namespace

LayerErrors::LayerErrors(const Program& program, const Neighbourhood& neighbours) {
  const auto is_free = [&](const torch::jit::Value* value) {
    return std::ranges::any_of(neighbours.sites, [&](const BlendSite& site) {
      return site.input == value && !site.is_returned;
    });
  };
  for (const auto& layer : neighbours.layers) {
    moments_.push_back({layer.compared, program.position(layer.compared->node()) + 1});
    compared_.push_back({.channel_dim = layer.is_convolution ? 1 : -1,
                         .is_standardised = is_free(layer.compared),
                         .kept = layer.kept_outputs});
  }
  for (const auto& site : neighbours.sites) {
    if (site.is_returned) {
      moments_.push_back({site.output, program.position(site.call) + 1});
      compared_.push_back(
          {.channel_dim = site.channel_dim, .kept = kept_before(site, neighbours.layers)});
    }
  }
  weigh(neighbours.layers);
}

void LayerErrors::weigh(const std::vector<Layer>& layers) {
  const bool is_cut = std::any_of(compared_.begin(), compared_.end(),
                                  [](const Compared& layer) { return layer.kept.defined(); });
  if (!is_cut) {
    return;
  }
  const auto read = nodes_before(layers);
  for (std::size_t i = 0; i < compared_.size(); ++i) {
    compared_[i].weight = i >= layers.size() || !read.contains(layers[i].node) ? kWeightOfLast
                          : compared_[i].kept.defined()                        ? kWeightOfCut
                                                                               : 1.0;
  }
}

torch::Tensor LayerErrors::mean(const std::vector<torch::Tensor>& values,
                                const std::vector<torch::Tensor>& originals,
                                const Together& together) const {
  if (values.empty()) {
    return torch::zeros({});
  }
  std::vector<ComparedValues> ours;
  std::vector<ComparedValues> theirs;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto dim = compared_[i].channel_dim;
    ours.push_back({in_front(values[i], dim)});
    theirs.push_back({in_front(of_kept(originals[i], compared_[i].kept, dim), dim)});
  }
  std::vector<ComparedValues*> measured;
  for (std::size_t i = 0; i < values.size(); ++i) {
    measured.push_back(&theirs[i]);
  }
  measure(measured, together);
  measured.clear();
  for (std::size_t i = 0; i < values.size() && !together.is_alone(); ++i) {
    if (compared_[i].is_standardised) {
      measured.push_back(&ours[i]);
    }
  }
  if (!measured.empty()) {
    measure(measured, together);
  }
  torch::Tensor sum;
  double weights = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto weight = compared_[i].weight;
    const auto part = lacking(ours[i], theirs[i], compared_[i].is_standardised) * weight;
    sum = sum.defined() ? sum + part : part;
    weights += weight;
  }
  return sum / weights;
}

}  // namespace actswap
