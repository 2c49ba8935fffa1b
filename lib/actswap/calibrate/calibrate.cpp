#include <actswap/base/error.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/program.h>
#include <actswap/calibrate/regression.h>
#include <actswap/calibrate/shift.h>
#include <actswap/graph/blend.h>
#include <actswap/graph/eval_mode.h>
#include <actswap/graph/walk.h>

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <set>

namespace actswap {

namespace jit = torch::jit;

namespace {

using Batches = std::vector<std::vector<torch::Tensor>>;

// Of each channel, from so many examples: more tells no more.
constexpr std::int64_t kSamples = 8192;
constexpr std::int64_t kExamples = 256;

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
    move_inner_blends();
    for (std::size_t i = 0; i < neighbours_.sites.size(); ++i) {
      check_interruption();
      const auto& site = neighbours_.sites[i];
      auto blend = module_at(blended_, site.path);
      change_input(site, blend_target(blend));
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
  // Those in a branch, in a loop, or in what torch.jit.fork runs.
  void move_inner_blends() {
    std::set<std::string> outer;
    for (const auto& site : neighbours_.sites) {
      outer.insert(site.path);
    }
    for (const auto& entry : distinct_modules(blended_)) {
      if (is_blend(entry.module.type()) && !outer.contains(entry.path)) {
        jit::Module(entry.module).setattr("t", 1.0);
        result_.left_out.push_back(entry.path + ": a blend that does not run in every pass");
      }
    }
  }

  void check_interruption() const {
    if (should_stop_ && should_stop_()) {
      throw Interrupted("The calibration was stopped");
    }
  }

  ActivationSamples samples_of(const BlendSite& site) const {
    std::vector<torch::Tensor> x;
    std::vector<torch::Tensor> x_original;
    std::vector<torch::Tensor> y;
    std::int64_t examples = 0;
    std::int64_t samples = 0;
    for (const auto& batch : batches_) {
      const auto now = program_.run({site.input}, batch);
      const auto before = program_.run_original({site.input, site.output}, batch);
      const auto take = [&](const torch::Tensor& values, std::vector<torch::Tensor>& into) {
        into.push_back(thinned(per_channel(values, site.channel_dim), kSamples));
      };
      take(now[0], x);
      take(before[0], x_original);
      take(before[1], y);
      examples += batch.front().size(0);
      samples += x.back().size(1);
      if (examples >= kExamples && samples >= kSamples) {
        break;
      }
    }
    return {torch::cat(x, 1), torch::cat(x_original, 1), torch::cat(y, 1)};
  }

  // x becomes scale * x + shift by way of what produces it.
  void change_input(const BlendSite& site, const ActivationSpec& target) {
    CalibratedSite record{.blend = site.path};
    const auto samples = site.bias.defined() ? samples_of(site) : ActivationSamples();
    if (site.bias.defined() && samples.x.size(0) == site.bias.numel()) {
      const auto function = compiled(target);
      const auto behind = !site.reaches_layer || site.past_layers ? Behind::nothing
                          : site.feeds_sum                        ? Behind::sum
                                                                  : Behind::layers;
      const bool may_scale =
          site.weight.defined() && behind == Behind::layers && !is_homogeneous(function);
      const auto change = best_input_change(samples, function, behind, may_scale);
      const auto scale = change.scale.to(site.bias.dtype());
      torch::Tensor(site.bias).mul_(scale).add_(change.shift.to(site.bias.dtype()));
      if (may_scale) {
        std::vector<std::int64_t> shape(static_cast<std::size_t>(site.weight.dim()), 1);
        shape[0] = -1;
        torch::Tensor(site.weight).mul_(scale.reshape(shape));
      }
      record.producer = site.producer;
      record.mean_shift = change.shift.abs().mean().item<double>();
      record.mean_scale = change.scale.mean().item<double>();
    }
    result_.sites.push_back(std::move(record));
  }

  // Scaling the input of ReLU scales its output, which the layers behind can do as well.
  static bool is_homogeneous(const std::function<torch::Tensor(const torch::Tensor&)>& function) {
    const auto x = torch::linspace(-4.0, 4.0, 33);
    return torch::allclose(function(2.0 * x), 2.0 * function(x));
  }

  static std::function<torch::Tensor(const torch::Tensor&)> compiled(const ActivationSpec& target) {
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
    const auto features = layer.weight.numel() / layer.weight.size(0);
    if (features > options_.max_features) {
      result_.left_out.push_back(layer.name + ": its outputs are computed from " +
                                 std::to_string(features) + " values, more than " +
                                 std::to_string(options_.max_features));
      return;
    }
    Regression regression(layer);  // takes memory for the square of them
    // Enough for the matrix to be well determined, no more: their number is what takes the time.
    const auto rows =
        std::max<std::int64_t>(32768, 16 * features) / static_cast<std::int64_t>(batches_.size()) +
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
  const auto begin = std::chrono::steady_clock::now();
  auto result = Calibrator(blended, batches, options, should_stop).run();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace actswap
