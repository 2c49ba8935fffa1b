#include <actswap/calibrate/batch_norm.h>
#include <actswap/calibrate/difference.h>
#include <actswap/calibrate/layer_fits.h>
#include <actswap/calibrate/move_input.h>
#include <actswap/calibrate/patches.h>
#include <actswap/calibrate/shift_step.h>
#include <actswap/graph/model.h>

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace actswap {

namespace {

// Rows of a regression: enough for its matrix to be well determined, no more, since their number is
// what takes the time.
constexpr std::int64_t kRows = 32768;
constexpr std::int64_t kRowsPerFeature = 16;

// Of the joint steps of shifts: how many, on how many rows, and for layers of how many features: it
// is another three products of matrices of that size.
constexpr int kRefinements = 2;
constexpr std::int64_t kRowsOfStep = 8192;
constexpr std::int64_t kRowsOfStepPerFeature = 6;
constexpr std::int64_t kMostToRefine = 1024;

// Values of a layer and the original's where the two are compared.
struct Compared {
  torch::Tensor output;  // of the layer
  torch::Tensor now;
  torch::Tensor original;
};

// What the output lacks, before the affines behind the layer. Where a sum repeats the output, it
// is the mean of what the repetitions lack: the best that one value can do for all of them.
torch::Tensor lacking(const Layer& layer, const Compared& values) {
  auto found = difference(values.original, values.now);
  if (found.sizes() != values.output.sizes()) {
    const double repetitions =
        static_cast<double>(found.numel()) / static_cast<double>(values.output.numel());
    found = found.sum_to_size(values.output.sizes()) / repetitions;
  }
  if (layer.scale.defined()) {
    // A channel that the affines take away cannot be told what it lacks.
    found =
        found *
        beside(bounded_reciprocal(layer.scale), found.dim(), layer.channel_dim()).to(found.dtype());
  }
  return found;
}

void change(const Layer& layer, const torch::Tensor& weight, const torch::Tensor& offset) {
  torch::Tensor(layer.weight).add_(weight);
  add_offset(layer, offset);
}

// What one output is computed from.
std::int64_t features_of(const Layer& layer) {
  return layer.weight.numel() / layer.weight.size(0);
}

}  // namespace

bool LayerFits::is_wide(const Layer& layer) const {
  return features_of(layer) > max_features_;
}

void LayerFits::fit(const Layer& layer) {
  if (is_wide(layer)) {
    fit_channels(layer);
    return;
  }
  auto correction = regress(layer);
  if (!correction) {
    return;
  }
  change(layer, correction->weight, correction->offset);
  CalibratedLayer record{.name = layer.name,
                         .error_before = correction->error_before,
                         .error_after = correction->error_after};
  if (const auto* site = site_to_refine(layer)) {
    refine(layer, *site, record);
  }
  result_.layers.push_back(std::move(record));
}

// None, where the layer cannot be fitted.
std::optional<Regression::Correction> LayerFits::regress(const Layer& layer) {
  Regression regression(layer);  // takes memory for the square of the features
  const auto features = features_of(layer);
  const auto wanted = std::max(kRows, kRowsPerFeature * features);
  auto batches = models_.batches();
  for (std::size_t i = 0; i < batches; ++i) {
    const auto found = models_.now(i, {models_.read_by(layer.node, layer.input),
                                       models_.made(layer.output), models_.made(layer.compared)});
    const auto original = models_.before(i, {models_.made(layer.compared)});
    if (!has_batch(layer, found[0])) {
      return std::nullopt;
    }
    if (i == 0) {
      batches = models_.batches_for(wanted, places_of(layer, found[1]) * found[1].size(0));
    }
    regression.add(found[0], lacking(layer, {found[1], found[2], original[0]}),
                   wanted / static_cast<std::int64_t>(batches) + 1);
  }
  return regression.solve();
}

const BlendSite* LayerFits::site_to_refine(const Layer& layer) const {
  const auto features = features_of(layer);
  return layer.site < 0 || layer.geometry.groups != 1 || is_wide(layer) || features > kMostToRefine
             ? nullptr
             : &blend_sites_[static_cast<std::size_t>(layer.site)];
}

// Steps of all shifts together, with the layer solved for after each, while that helps on the
// inputs held out.
void LayerFits::refine(const Layer& layer, const BlendSite& site, CalibratedLayer& record) {
  if (!sites_.has_fitted(site)) {
    return;
  }
  const auto function = sites_.target_of(site);
  for (int i = 0; i < kRefinements; ++i) {
    const auto shift = shift_step(layer, site, function);
    const auto bias = site.bias.clone();
    const auto moved = move_input(site, {torch::ones_like(shift), shift});
    const auto correction = regress(layer);
    if (!(correction->error_after < record.error_after)) {
      torch::Tensor(site.bias).copy_(bias);
      return;
    }
    change(layer, correction->weight, correction->offset);
    record.error_after = correction->error_after;
    sites_.add_shift(site, moved.shift);
  }
}

torch::Tensor LayerFits::shift_step(
    const Layer& layer, const BlendSite& site,
    const std::function<torch::Tensor(const torch::Tensor&)>& function) {
  ShiftStep step(layer);
  const auto features = features_of(layer);
  const auto wanted = std::max(kRowsOfStep, kRowsOfStepPerFeature * features);
  auto batches = models_.batches();
  for (std::size_t i = 0; i < batches; ++i) {
    const auto found = models_.now(
        i, {models_.read_by(site.call, site.input), models_.read_by(layer.node, layer.input),
            models_.made(layer.output), models_.made(layer.compared)});
    const auto original = models_.before(i, {models_.made(layer.compared)});
    if (i == 0) {
      batches = models_.batches_for(wanted, places_of(layer, found[2]) * found[2].size(0));
    }
    constexpr double kStep = 1e-2;  // of the derivative; a kink counts half on both sides
    const auto x = widened(found[0]);
    const auto slope = (function(x + kStep) - function(x - kStep)) / (2.0 * kStep);
    // Between the two may be affines and a view.
    const auto scale = layer.site_scale.defined() ? layer.site_scale : torch::ones({});
    const auto factor = beside(scale, found[1].dim(), layer.channel_dim()).to(slope.dtype());
    step.add(found[1], slope.reshape(found[1].sizes()) * factor,
             lacking(layer, {found[2], found[3], original[0]}),
             wanted / static_cast<std::int64_t>(batches) + 1);
  }
  return step.solve();
}

void LayerFits::fit_channels(const Layer& layer) {
  if (!has_batch(layer, models_.now(0, {models_.read_by(layer.node, layer.input)})[0])) {
    return;
  }
  ChannelFit channels(layer.weight.size(1) * layer.geometry.groups, layer.is_convolution ? 1 : -1,
                      layer.takes_offset());
  add_batches(channels, models_.read_by(layer.node, layer.input));
  const auto correction = folded(layer, channels.solve());
  const auto [before, after] = kept_if_nearer(
      models_.made(layer.compared), [&] { change(layer, correction.weight, correction.offset); },
      {layer.weight, layer.bias, layer.offset.tensor});
  result_.layers.push_back({.name = layer.name,
                            .fit = LayerFit::per_channel,
                            .error_before = before,
                            .error_after = after});
}

void LayerFits::fit(const BatchNorm& norm) {
  const auto output = models_.made(norm.output);
  ChannelFit channels(norm.weight.numel(), 1, true);
  add_batches(channels, output);
  const auto line = channels.solve();
  const auto [before, after] = kept_if_nearer(
      output, [&] { scale_output(norm, line.factor, line.offset); }, {norm.weight, norm.bias});
  result_.layers.push_back({.name = norm.name,
                            .fit = LayerFit::per_channel,
                            .error_before = before,
                            .error_after = after});
}

std::size_t LayerFits::batches_of_channels() const {
  return std::min(models_.batches(), models_.batches_for(kRows, models_.size(0)) + 1);
}

// All but the last, which is held out, where there is more than one.
void LayerFits::add_batches(ChannelFit& channels, const Moment& moment) {
  for (std::size_t i = 0; i < std::max<std::size_t>(1, batches_of_channels() - 1); ++i) {
    channels.add(models_.now(i, {moment})[0], models_.before(i, {moment})[0]);
  }
}

// A change of these tensors, on what is held out.
LayerFits::Errors LayerFits::kept_if_nearer(const Moment& compared,
                                            const std::function<void()>& change,
                                            std::vector<torch::Tensor> tensors) {
  const auto error = [&] {
    const auto last = batches_of_channels() - 1;
    const auto original = models_.before(last, {compared});
    const auto found = models_.now(last, {compared});
    return std::sqrt(
        difference(original[0], found[0]).to(torch::kDouble).square().mean().item<double>());
  };
  std::erase_if(tensors, [](const torch::Tensor& tensor) { return !tensor.defined(); });
  const auto kept = copy_tensors(tensors);
  const double error_before = error();
  change();
  const double error_after = error();
  if (error_after < error_before) {
    return {error_before, error_after};
  }
  for (std::size_t i = 0; i < kept.size(); ++i) {
    tensors[i].copy_(kept[i]);
  }
  return {error_before, error_before};
}

// A single example without a batch dimension cannot be told from a batch of fewer dimensions.
bool LayerFits::has_batch(const Layer& layer, const torch::Tensor& input) {
  const bool has = layer.is_convolution ? input.dim() == layer.weight.dim() : input.dim() > 1;
  if (!has) {
    result_.left_out.push_back(layer.name + ": its input has no batch dimension");
  }
  return has;
}

}  // namespace actswap
