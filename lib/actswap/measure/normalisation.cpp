#include <actswap/base/error.h>
#include <actswap/data/sample.h>
#include <actswap/measure/normalisation.h>
#include <actswap/run/model_run.h>

#include <ATen/record_function.h>

#include <algorithm>
#include <cstdio>
#include <vector>

namespace actswap {

namespace {

constexpr std::int64_t kExamples = 32;
constexpr std::int64_t kFewest = 8;
constexpr double kFar = 0.5;
constexpr double kNearer = 0.25;  // of the distance as the inputs are read

using Batch = std::vector<torch::Tensor>;

// The distance at the first batch norm that runs on this thread.
thread_local std::optional<double> first_distance;

// Channels in dimension 1, each as a row.
torch::Tensor rows(const torch::Tensor& input) {
  return input.detach().to(torch::kFloat64).transpose(0, 1).flatten(1);
}

std::unique_ptr<at::ObserverContext> look(const at::RecordFunction& call) {
  constexpr std::size_t kArguments = 9;
  constexpr std::size_t kMean = 3;
  constexpr std::size_t kVariance = 4;
  if (first_distance || std::string_view(call.name()) != "aten::batch_norm" ||
      call.inputs().size() < kArguments) {
    return nullptr;
  }
  const auto inputs = call.inputs().slice(call.inputs().size() - kArguments);  // the stack's end
  if (!inputs[0].isTensor() || !inputs[kMean].isTensor() || !inputs[kVariance].isTensor() ||
      inputs[0].toTensor().dim() < 2) {
    return nullptr;
  }
  const at::DisableRecordFunctionGuard without_callbacks;
  const auto values = rows(inputs[0].toTensor());
  const auto mean = inputs[kMean].toTensor().detach().to(torch::kFloat64);
  // A channel that is always the same tells nothing, and must not divide by 0.
  const auto variance = inputs[kVariance].toTensor().detach().to(torch::kFloat64);
  const auto varies = variance > 1e-6 * variance.max();
  const auto ratio = (values.var(1, /*unbiased=*/false) / variance).clamp_min(1e-12);
  const auto shift = values.mean(1) - mean;
  const auto distances =
      (shift * shift / variance + ratio - 1.0 - ratio.log()).masked_select(varies);
  if (distances.numel() > 0) {
    first_distance = distances.median().item<double>();
  }
  return nullptr;
}

class Look {
 public:
  Look()
      : handle_(
            at::addThreadLocalCallback(at::RecordFunctionCallback(look).needsInputs(true).scopes(
                {at::RecordScope::FUNCTION}))) {
    first_distance.reset();
  }
  ~Look() { at::removeCallback(handle_); }
  Look(const Look&) = delete;
  Look& operator=(const Look&) = delete;

 private:
  at::CallbackHandle handle_;
};

std::optional<double> distance_of(ModelRun& run, Batch inputs, const torch::Tensor& first) {
  inputs[0] = first;
  const Look here;
  run(inputs);
  return first_distance;
}

// Of each channel: dimension 1, or all where there is none.
torch::Tensor per_channel(const torch::Tensor& input, bool is_deviation) {
  std::vector<std::int64_t> dimensions = {0};
  for (std::int64_t i = 2; i < input.dim(); ++i) {
    dimensions.push_back(i);
  }
  return is_deviation ? input.std(dimensions, /*unbiased=*/false, /*keepdim=*/true).clamp_min(1e-6)
                      : input.mean(dimensions, /*keepdim=*/true);
}

torch::Tensor as_channels(const std::vector<double>& values, const torch::Tensor& input,
                          double otherwise) {
  if (values.empty()) {
    return torch::full({1}, otherwise, input.options());
  }
  std::vector<std::int64_t> shape(static_cast<std::size_t>(input.dim()), 1);
  shape[input.dim() > 1 ? 1 : 0] = static_cast<std::int64_t>(values.size());
  return torch::tensor(values, torch::kDouble).reshape(shape).to(input.options());
}

std::string list_of(const torch::Tensor& values) {
  constexpr std::int64_t kMost = 4;  // of channels that are worth writing out
  std::string text;
  const auto flat = values.flatten();
  for (std::int64_t i = 0; i < flat.size(0); ++i) {
    char number[32];
    std::snprintf(number, sizeof number, "%.3g", flat[i].item<double>());
    text += (i == 0 ? "" : ",") + std::string(number);
  }
  return flat.size(0) <= kMost ? text : std::string();
}

struct Scale {
  torch::Tensor input;
  std::string advice;
};

std::vector<Scale> other_scales(const torch::Tensor& input, const DataOptions& options) {
  std::vector<Scale> scales;
  auto plain = input;
  if (!options.mean.empty() || !options.deviation.empty()) {
    plain =
        input * as_channels(options.deviation, input, 1.0) + as_channels(options.mean, input, 0.0);
    scales.push_back({plain, "it seems to expect inputs without --mean and --deviation"});
  }
  const auto mean = per_channel(plain, false);
  const auto deviation = per_channel(plain, true);
  const auto means = list_of(mean);
  scales.push_back({(plain - mean) / deviation,
                    "it seems to expect normalised inputs; give the training's --mean and "
                    "--deviation" +
                        (means.empty() ? ""
                                       : " (those of these inputs are --mean " + means +
                                             " --deviation " + list_of(deviation) + ")")});
  if (plain.min().item<double>() >= 0.0 && plain.max().item<double>() <= 1.0) {
    scales.push_back({plain * 255.0, "it seems to expect inputs from 0 to 255; give --deviation " +
                                         std::string("0.00392157")});
  }
  return scales;
}

std::optional<std::string> doubt(const Model& model, const Batch& inputs,
                                 const DataOptions& options) {
  ModelRun run(recompile(model.module), {.optimizes_graphs = false});
  const auto distance = distance_of(run, inputs, inputs[0]);
  if (!distance || !(*distance > kFar)) {
    return std::nullopt;
  }
  double nearest = kNearer * *distance;
  std::string advice;
  for (const auto& [input, text] : other_scales(inputs[0], options)) {
    const auto other = distance_of(run, inputs, input);
    if (other && *other < nearest) {
      nearest = *other;
      advice = text;
    }
  }
  if (advice.empty()) {
    return std::nullopt;
  }
  char numbers[96];
  std::snprintf(numbers, sizeof numbers, "%.2g, where 0 is the same; %.2g would be possible",
                *distance, nearest);
  return "the inputs are not scaled as the model's first batch norm expects (distance " +
         std::string(numbers) + "): " + advice;
}

bool keeps_statistics(const torch::jit::Module& module) {
  for (const auto& buffer : module.named_buffers()) {
    if (std::string_view(buffer.name).ends_with("running_var")) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::optional<std::string> doubt_normalisation(const Model& model, const Dataset& data,
                                               const DataOptions& options) {
  if (data.size() < kFewest || !keeps_statistics(model.module)) {
    return std::nullopt;
  }
  const torch::NoGradGuard no_grad;
  const auto inputs = sample_inputs(data, kExamples, kExamples, 0).at(0);
  if (!inputs[0].is_floating_point()) {
    return std::nullopt;
  }
  try {
    return doubt(model, inputs, options);
  } catch (const UsageError&) {
    return std::nullopt;  // the model rejects the inputs, and whoever runs it next says so
  }
}

std::optional<std::string> doubt_normalisation(const Model& model, const Dataset& data) {
  const auto* loaded = dynamic_cast<const LoadedData*>(&data);
  return doubt_normalisation(model, data, loaded == nullptr ? DataOptions() : loaded->options());
}

}  // namespace actswap
