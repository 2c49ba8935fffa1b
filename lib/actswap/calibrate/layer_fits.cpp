#include <actswap/calibrate/batch_norm.h>
#include <actswap/calibrate/difference.h>
#include <actswap/calibrate/layer_fits.h>
#include <actswap/calibrate/move_input.h>
#include <actswap/graph/model.h>

#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace actswap {

namespace {

// Rows of a regression: enough to determine its matrix well, but no more, because the time grows
// with their number.
constexpr std::int64_t kRows = 16384;
constexpr std::int64_t kRowsPerFeature = 8;
// A layer draws more rows than its features require as long as they have at most this many values;
// the limit is there because refining a layer keeps them: some 32 MiB, five times.
constexpr std::int64_t kValues = std::int64_t{1} << 23;
// Values of a channel that is fitted by itself.
constexpr std::int64_t kChannelRows = 32768;

// How many joint steps of shifts, and up to how many features of the layer: each step takes four
// more products of matrices of that size.
constexpr int kRefinements = 2;
constexpr std::int64_t kMostToRefine = 1024;

void change(const Layer& layer, const torch::Tensor& weight, const torch::Tensor& offset) {
  torch::Tensor(layer.weight).add_(weight);
  add_offset(layer, offset);
}

}  // namespace

std::int64_t rows_for(const Layer& layer) {
  const auto features = features_of(layer);
  return std::max(kRowsPerFeature * features, std::min(kRows, kValues / features));
}

bool has_batch(const Layer& layer, const torch::Tensor& input) {
  return layer.is_convolution ? input.dim() == layer.weight.dim() : input.dim() > 1;
}

LayerValues layer_values(BothModels& models, const Layer& layer, std::size_t batch,
                         const BlendSite* site) {
  std::vector<Moment> moments = {models.read_by(layer.node, layer.input)};
  const bool is_compared_elsewhere = layer.compared != layer.output;
  if (is_compared_elsewhere) {
    moments.insert(moments.end(), {models.made(layer.output), models.made(layer.compared)});
  }
  if (site != nullptr) {
    moments.push_back(models.read_by(site->call, site->input));
  }
  const auto found = models.now(batch, moments);
  const auto original = models.before(batch, {models.made(layer.compared)})[0];
  LayerValues values = {.input = found[0],
                        .original = of_kept(original, layer.kept_outputs, layer.channel_dim())};
  if (is_compared_elsewhere) {
    values.output = found[1];
    values.now = found[2];
  }
  if (site != nullptr) {
    values.site_input = found.back();
  }
  if (!models.together().is_alone()) {
    const auto parts = values.input.size(0) / models.own_size(batch);  // tokens, windows
    values.examples = parts * models.size(batch);
    values.first = parts * models.first(batch);
  }
  return values;
}

bool LayerFits::is_wide(const Layer& layer) const {
  return features_of(layer) > max_features_;
}

void LayerFits::fit(const Layer& layer) {
  if (is_wide(layer)) {
    fit_channels(layer);
    return;
  }
  const auto* site = site_to_refine(layer);
  const bool is_refined = site != nullptr && sites_.has_fitted(*site);
  Regression regression(layer, models_.together());
  std::vector<LayerRows> kept;
  const bool is_drawn = draw(layer, is_refined ? site : nullptr, [&](LayerRows rows) {
    if (is_refined) {
      kept.push_back(rows);
    }
    regression.add(std::move(rows));
  });
  if (!is_drawn) {
    return;
  }
  const auto correction = regression.solve();
  CalibratedLayer record{.name = layer.name,
                         .error_before = correction.error_before,
                         .error_after = correction.error_after};
  change(layer, correction.weight, correction.offset);
  if (is_refined) {
    ShiftRefinement refinement(layer, std::move(kept), sites_.target_of(*site), models_.together());
    refinement.note(correction);
    refine(layer, *site, refinement, record);
  }
  result_.layers.push_back(std::move(record));
}

// False where the layer cannot be fitted.
bool LayerFits::draw(const Layer& layer, const BlendSite* site,
                     const std::function<void(LayerRows)>& take) {
  RowDraw rows(layer, rows_for(layer), models_.batches());
  for (std::size_t i = 0; i < models_.batches(); ++i) {
    const auto values = layer_values(models_, layer, i, site);
    if (!expect_batch(layer, values.input)) {
      return false;
    }
    rows.draw(values, take);
  }
  return true;
}

const BlendSite* LayerFits::site_to_refine(const Layer& layer) const {
  const auto features = features_of(layer);
  return layer.site < 0 || layer.geometry.groups != 1 || is_wide(layer) || features > kMostToRefine
             ? nullptr
             : &blend_sites_[static_cast<std::size_t>(layer.site)];
}

// While that helps on the rows held out.
void LayerFits::refine(const Layer& layer, const BlendSite& site, ShiftRefinement& refinement,
                       CalibratedLayer& record) {
  for (int i = 0; i < kRefinements; ++i) {
    const auto bias = site.bias.clone();
    const auto step = refinement.step();
    move_input(site, {torch::ones_like(step), step});
    const auto shift =  // as the bias holds it
        site.line.factor * (site.bias.to(torch::kDouble) - bias.to(torch::kDouble));
    const auto correction = refinement.move(shift);
    if (!(correction.error_after < record.error_after)) {
      torch::Tensor(site.bias).copy_(bias);
      return;
    }
    change(layer, correction.weight, correction.offset);
    refinement.note(correction);
    record.error_after = correction.error_after;
    sites_.add_shift(site, shift);
  }
}

void LayerFits::fit_channels(const Layer& layer) {
  const Compared input = {models_.read_by(layer.node, layer.input), layer.kept_inputs,
                          layer.channel_dim()};
  const auto now = models_.now(0, {input.moment})[0];
  if (!expect_batch(layer, now)) {
    return;
  }
  const auto original =
      of_kept(models_.before(0, {input.moment})[0], input.kept, input.channel_dim);
  if (original.sizes() != now.sizes()) {
    result_.left_out.push_back(layer.name + ": its input has lost channels in whole groups");
    return;
  }
  ChannelFit channels(layer.weight.size(1) * layer.geometry.groups, layer.channel_dim(),
                      layer.takes_offset());
  add_batches(channels, input);
  const auto correction = folded(layer, channels.solve());
  const auto [before, after] =
      kept_if_nearer({models_.made(layer.compared), layer.kept_outputs, layer.channel_dim()},
                     [&] { change(layer, correction.weight, correction.offset); },
                     {layer.weight, layer.bias, layer.offset.tensor});
  result_.layers.push_back({.name = layer.name,
                            .fit = LayerFit::per_channel,
                            .error_before = before,
                            .error_after = after});
}

void LayerFits::fit(const BatchNorm& norm) {
  const Compared output = {models_.made(norm.output), norm.kept_channels, 1};
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
  return std::min(models_.batches(), models_.batches_for(kChannelRows, models_.size(0)) + 1);
}

// All batches but the last, which is held out if there are several.
void LayerFits::add_batches(ChannelFit& channels, const Compared& compared) {
  const auto& [moment, kept, channel_dim] = compared;
  for (std::size_t i = 0; i < std::max<std::size_t>(1, batches_of_channels() - 1); ++i) {
    channels.add(models_.now(i, {moment})[0],
                 of_kept(models_.before(i, {moment})[0], kept, channel_dim));
  }
  channels.add_up(models_.together());
}

// Undoes the change unless it lowers the held-out error.
LayerFits::Errors LayerFits::kept_if_nearer(const Compared& compared,
                                            const std::function<void()>& change,
                                            std::vector<torch::Tensor> tensors) {
  const auto error = [&] {
    const auto last = batches_of_channels() - 1;
    const auto& [moment, kept, channel_dim] = compared;
    const auto original = of_kept(models_.before(last, {moment})[0], kept, channel_dim);
    const auto found = models_.now(last, {moment});
    const auto lacking = difference(original, found[0]).to(torch::kDouble);
    const auto& together = models_.together();
    return std::sqrt(together.sum(lacking.square().sum().item<double>()) /
                     static_cast<double>(together.sum(lacking.numel())));
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

bool LayerFits::expect_batch(const Layer& layer, const torch::Tensor& input) {
  const bool has = has_batch(layer, input);
  if (!has) {
    result_.left_out.push_back(layer.name + ": its input has no batch dimension");
  }
  return has;
}

}  // namespace actswap
