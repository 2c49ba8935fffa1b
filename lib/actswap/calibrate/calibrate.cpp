#include <actswap/base/error.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/program.h>
#include <actswap/calibrate/regression.h>
#include <actswap/calibrate/shift.h>
#include <actswap/graph/blend.h>
#include <actswap/graph/eval_mode.h>

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <sstream>

namespace actswap {

namespace jit = torch::jit;

namespace {

using Batches = std::vector<std::vector<torch::Tensor>>;

// Of each channel, for the shift: more tells no more.
constexpr std::int64_t kSamples = 4096;

jit::Module module_at(const jit::Module& root, const std::string& path) {
  jit::Module module = root;
  std::istringstream names(path);
  for (std::string name; std::getline(names, name, '.');) {
    module = module.attr(name).toModule();
  }
  return module;
}

torch::Tensor per_channel(const torch::Tensor& values, std::int64_t channel_dim) {
  const auto rows = values.movedim(channel_dim, 0).flatten(1).to(torch::kFloat);
  return rows;
}

torch::Tensor thinned(const torch::Tensor& rows, std::int64_t samples) {
  const auto size = rows.size(1);
  return size <= samples ? rows : rows.slice(1, 0, size, (size + samples - 1) / samples);
}

class Calibrator {
 public:
  Calibrator(jit::Module& blended, const Batches& batches, const CalibrationOptions& options,
             const std::function<bool()>& should_stop)
      : blended_(blended),
        batches_(batches),
        options_(options),
        should_stop_(should_stop),
        program_(blended),
        neighbours_(find_neighbours(program_)) {}

  Calibration run() {
    const torch::NoGradGuard no_grad;
    result_.left_out = neighbours_.left_out;
    for (const auto& batch : batches_) {
      result_.inputs += batch.front().size(0);
    }
    for (std::size_t i = 0; i < neighbours_.sites.size(); ++i) {
      check_interruption();
      const auto& site = neighbours_.sites[i];
      auto blend = module_at(blended_, site.path);
      shift(site, blend_target(blend));
      blend.setattr("t", 1.0);
      for (const auto& layer : neighbours_.layers) {
        if (layer.last_site == i) {
          check_interruption();
          fit(layer);
        }
      }
    }
    return std::move(result_);
  }

 private:
  void check_interruption() const {
    if (should_stop_ && should_stop_()) {
      throw Interrupted("The calibration was stopped");
    }
  }

  void shift(const BlendSite& site, const ActivationSpec& target) {
    CalibratedSite record{.blend = site.path};
    if (site.bias.defined()) {
      const auto each =
          std::max<std::int64_t>(1, kSamples / static_cast<std::int64_t>(batches_.size()));
      std::vector<torch::Tensor> x;
      std::vector<torch::Tensor> x_original;
      std::vector<torch::Tensor> y;
      for (const auto& batch : batches_) {
        const auto sampled = [&](const torch::Tensor& values) {
          return thinned(per_channel(values, site.channel_dim), each);
        };
        const auto now = program_.run({site.input}, batch);
        const auto before = program_.run_original({site.input, site.output}, batch);
        x.push_back(sampled(now[0]));
        x_original.push_back(sampled(before[0]));
        y.push_back(sampled(before[1]));
      }
      if (x.front().size(0) == site.bias.numel()) {
        const auto d = best_shift(torch::cat(x, 1), torch::cat(x_original, 1), torch::cat(y, 1),
                                  site.feeds_sum, apply(target));
        torch::Tensor(site.bias).add_(d.to(site.bias.dtype()));
        record.producer = site.producer;
        record.mean_shift = d.abs().mean().item<double>();
      }
    }
    result_.sites.push_back(std::move(record));
  }

  static std::function<torch::Tensor(const torch::Tensor&)> apply(const ActivationSpec& target) {
    const auto unit =
        jit::compile("def f(x: Tensor) -> Tensor:\n    return " + target.torchscript() + "\n");
    return [unit](const torch::Tensor& x) { return unit->run_method("f", x).toTensor(); };
  }

  // What the output lacks, before the batch norm behind the layer.
  torch::Tensor lacking(const Layer& layer, const torch::Tensor& original,
                        const torch::Tensor& now) const {
    auto difference = original - now;
    if (layer.scale.defined()) {
      std::vector<std::int64_t> shape(static_cast<std::size_t>(difference.dim()), 1);
      shape[1] = -1;
      // A channel that the norm takes away cannot be told what it lacks.
      const auto factor =
          torch::where(layer.scale.abs() > 1e-6, layer.scale.reciprocal(), torch::zeros({}));
      difference = difference * factor.reshape(shape).to(difference.dtype());
    }
    return difference;
  }

  void fit(const Layer& layer) {
    Regression regression(layer);
    if (regression.features() > options_.max_features) {
      result_.left_out.push_back(layer.name + ": its outputs are computed from " +
                                 std::to_string(regression.features()) + " values, more than " +
                                 std::to_string(options_.max_features));
      return;
    }
    // Enough for the matrix to be well determined, no more: their number is what takes the time.
    const auto rows = std::max<std::int64_t>(32768, 16 * regression.features()) /
                          static_cast<std::int64_t>(batches_.size()) +
                      1;
    for (const auto& batch : batches_) {
      const auto now = program_.run({layer.input, layer.compared}, batch);
      const auto original = program_.run_original({layer.compared}, batch);
      regression.add(now[0], lacking(layer, original[0], now[1]), rows);
    }
    const auto correction = regression.solve();
    torch::Tensor(layer.weight).add_(correction.weight);
    if (layer.bias.defined()) {
      torch::Tensor(layer.bias).add_(correction.offset);
    } else if (layer.running_mean.defined()) {
      torch::Tensor(layer.running_mean).sub_(correction.offset);
    }
    result_.layers.push_back({.name = layer.name,
                              .error_before = correction.error_before,
                              .error_after = correction.error_after});
  }

  jit::Module& blended_;
  const Batches& batches_;
  const CalibrationOptions& options_;
  const std::function<bool()>& should_stop_;
  Program program_;
  Neighbourhood neighbours_;
  Calibration result_;
};

}  // namespace

void CalibrationOptions::validate() const {
  const auto check = [](const char* name, std::int64_t value) {
    if (value < 1) {
      throw UsageError(std::string("Expected ") + name + " > 0, but got " + std::to_string(value));
    }
  };
  check("inputs", inputs);
  check("batch_size", batch_size);
  check("max_features", max_features);
}

Calibration calibrate(jit::Module& blended, const Batches& batches,
                      const CalibrationOptions& options, const std::function<bool()>& should_stop) {
  options.validate();
  if (batches.empty()) {
    throw UsageError("Expected inputs to calibrate with, but there are none");
  }
  const EvalMode eval(blended);
  try {
    return Calibrator(blended, batches, options, should_stop).run();
  } catch (const c10::Error& error) {
    throw UsageError("The model cannot be calibrated on these inputs: " +
                     libtorch_cause(error.what_without_backtrace()));
  }
}

}  // namespace actswap
