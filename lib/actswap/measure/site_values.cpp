#include <actswap/measure/padded.h>
#include <actswap/measure/site_values.h>
#include <actswap/run/observed_model.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace actswap {

namespace {

constexpr std::int64_t kEachCall = 4096;
constexpr std::size_t kMost = 8192;  // of a site that is applied again and again

// Places spread over all values by the golden ratio: a stride might meet one channel only.
torch::Tensor places(std::int64_t count) {
  if (count <= kEachCall) {
    return torch::arange(count);
  }
  constexpr double kGolden = 0.6180339887498949;
  std::vector<std::int64_t> found(kEachCall);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double share = std::fmod(static_cast<double>(i) * kGolden, 1.0);
    found[i] = static_cast<std::int64_t>(share * static_cast<double>(count));
  }
  return torch::tensor(found);
}

void add(const torch::Tensor& values, std::vector<float>& sample) {
  if (!values.is_floating_point() || sample.size() >= kMost) {
    return;
  }
  const auto flat = padded(values).detach().reshape({-1});
  const auto chosen = flat.index_select(0, places(flat.numel())).to(torch::kFloat).contiguous();
  sample.insert(sample.end(), chosen.data_ptr<float>(), chosen.data_ptr<float>() + chosen.numel());
}

}  // namespace

std::map<std::string, SiteValues> sample_sites(const Model& model,
                                               const std::vector<torch::Tensor>& inputs) {
  ObservedModel observed(model);
  std::vector<SiteValues> samples(observed.sites().size());
  SiteObserver observer;
  observer.before = [&](std::size_t site, const torch::Tensor& input) {
    add(input, samples[site].inputs);
  };
  observer.after = [&](std::size_t site, const torch::Tensor& output) {
    add(output, samples[site].outputs);
    samples[site].elements += padded(output).numel();
  };
  observed.run(inputs, observer);
  std::map<std::string, SiteValues> found;
  for (std::size_t site = 0; site < samples.size(); ++site) {
    if (!samples[site].outputs.empty()) {
      found.emplace(observed.sites()[site], std::move(samples[site]));
    }
  }
  return found;
}

std::optional<Histogram> histogram(std::vector<float> values) {
  constexpr std::size_t kBins = 32;
  constexpr double kBeyond = 0.002;
  std::erase_if(values, [](float value) { return !std::isfinite(value); });
  if (values.empty()) {
    return std::nullopt;
  }
  std::ranges::sort(values);
  const auto last = static_cast<double>(values.size() - 1);
  Histogram found{.low = values[static_cast<std::size_t>(std::floor(kBeyond * last))],
                  .high = values[static_cast<std::size_t>(std::ceil((1.0 - kBeyond) * last))],
                  .counts = std::vector<std::int64_t>(kBins)};
  if (!(found.low < found.high)) {
    return std::nullopt;
  }
  for (const double value : values) {
    if (value >= found.low && value <= found.high) {
      const double share = (value - found.low) / (found.high - found.low);
      ++found.counts[std::min(static_cast<std::size_t>(share * kBins), kBins - 1)];
    }
  }
  return found;
}

std::optional<double> relative_variance(const std::vector<float>& y, const std::vector<float>& y0) {
  if (y.size() != y0.size() || y.empty()) {
    return std::nullopt;
  }
  const double mean = std::accumulate(y0.begin(), y0.end(), 0.0) / static_cast<double>(y0.size());
  double difference = 0.0;
  double variance = 0.0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    difference += std::pow(static_cast<double>(y[i]) - y0[i], 2);
    variance += std::pow(y0[i] - mean, 2);
  }
  const double ratio = difference / variance;
  return std::isfinite(ratio) ? std::optional(ratio) : std::nullopt;
}

}  // namespace actswap
