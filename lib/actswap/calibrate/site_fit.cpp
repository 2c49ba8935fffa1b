#include <actswap/calibrate/channel_rows.h>
#include <actswap/calibrate/move_input.h>
#include <actswap/calibrate/site_fit.h>
#include <actswap/graph/blend.h>
#include <actswap/graph/walk.h>

#include <torch/jit.h>
#include <torch/script.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

namespace actswap {

namespace {

// Takes columns at even distances from those of all ranks.
torch::Tensor thinned(const torch::Tensor& rows, std::int64_t samples, const Together& together) {
  const auto sizes = together.of_all(rows.size(1));
  const auto size = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  const auto before =
      std::accumulate(sizes.begin(), sizes.begin() + together.share().number, std::int64_t{0});
  const auto every = std::max<std::int64_t>(1, (size + samples - 1) / samples);
  return every == 1 ? rows : rows.slice(1, (every - before % every) % every, rows.size(1), every);
}

// Scaling the input of ReLU scales its output, which the layers behind can do as well.
bool is_homogeneous(const std::function<torch::Tensor(const torch::Tensor&)>& function) {
  const auto x = torch::linspace(-4.0, 4.0, 33);
  return torch::allclose(function(2.0 * x), 2.0 * function(x));
}

Behind behind_of(const BlendSite& site) {
  if (!site.reaches_layer || site.past_layers || (site.feeds_sum && site.feeds_gate)) {
    return Behind::nothing;
  }
  return site.feeds_sum ? Behind::sum : site.feeds_gate ? Behind::gate : Behind::layers;
}

}  // namespace

std::function<torch::Tensor(const torch::Tensor&)> SiteFit::target_of(const BlendSite& site) const {
  const auto unit =
      torch::jit::compile("def f(x: Tensor) -> Tensor:\n    return " +
                          blend_target(module_at(blended_, site.path)).torchscript() + "\n");
  return [unit](const torch::Tensor& x) { return unit->run_method("f", x).toTensor(); };
}

ActivationSamples SiteFit::samples_of(const BlendSite& site) {
  std::vector<torch::Tensor> x;
  std::vector<torch::Tensor> x_original;
  std::vector<torch::Tensor> y;
  std::int64_t examples = 0;
  std::int64_t samples = 0;
  const auto input = models_.read_by(site.call, site.input);
  for (std::size_t i = 0; i < models_.batches(); ++i) {
    const auto found = models_.now(i, {input});
    const auto wanted = models_.before(i, {input, models_.made(site.output)});
    const auto share =
        std::max<std::int64_t>(1, kChannelSamples * models_.size(i) / kChannelExamples);
    const auto take = [&](const torch::Tensor& values, std::vector<torch::Tensor>& into) {
      const auto& together = models_.together();
      into.push_back(
          together.joined(thinned(channel_rows(values, site.channel_dim), share, together), 1));
    };
    take(found[0], x);
    take(wanted[0], x_original);
    take(wanted[1], y);
    examples += models_.size(i);
    samples += x.back().size(1);
    if (examples >= kChannelExamples && samples >= kChannelSamples) {
      break;
    }
  }
  return {torch::cat(x, 1), torch::cat(x_original, 1), torch::cat(y, 1)};
}

void SiteFit::fit(const BlendSite& site) {
  CalibratedSite record{.blend = site.path};
  const auto samples = site.bias.defined() ? samples_of(site) : ActivationSamples();
  if (site.bias.defined() && samples.x.size(0) == site.bias.numel()) {
    const auto function = target_of(site);
    const auto behind = behind_of(site);
    const bool may_scale =
        site.weight.defined() && behind == Behind::layers && !is_homogeneous(function);
    const auto change = move_input(site, best_input_change(samples, function, behind, may_scale));
    record.producer = site.producer;
    record.channels = site.bias.numel();
    record.mean_scale = change.scale.mean().item<double>();
    records_.push_back(std::move(record));
    shifts_[site.path] = torch::zeros_like(change.shift);
    add_shift(site, change.shift);
    return;
  }
  records_.push_back(std::move(record));
}

void SiteFit::add_shift(const BlendSite& site, const torch::Tensor& shift) {
  auto& total = shifts_.at(site.path);
  total += shift;
  for (auto& record : records_) {
    if (record.blend == site.path) {
      record.mean_shift = total.abs().mean().item<double>();
      record.largest_shift = total.abs().max().item<double>();
    }
  }
}

}  // namespace actswap
