#include <actswap/base/error.h>
#include <actswap/calibrate/batch_norm.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/channel_fit.h>
#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/patches.h>
#include <actswap/calibrate/program.h>
#include <actswap/calibrate/regression.h>
#include <actswap/calibrate/replay.h>
#include <actswap/calibrate/safeguard.h>
#include <actswap/calibrate/shift.h>
#include <actswap/calibrate/shift_step.h>
#include <actswap/data/sample.h>
#include <actswap/graph/blend.h>
#include <actswap/graph/eval_mode.h>
#include <actswap/graph/model.h>
#include <actswap/graph/retarget.h>
#include <actswap/graph/walk.h>

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <set>

namespace actswap {

namespace jit = torch::jit;

namespace {

using Batches = std::vector<std::vector<torch::Tensor>>;

// Of each channel, from so many examples at least: more tells no more.
constexpr std::int64_t kSamples = 4096;
constexpr std::int64_t kExamples = 256;
// Rows of a regression: enough for its matrix to be well determined, no more, since their number is
// what takes the time.
constexpr std::int64_t kRows = 32768;
constexpr std::int64_t kRowsPerFeature = 16;

torch::Tensor per_channel(const torch::Tensor& values, std::int64_t channel_dim) {
  return values.movedim(channel_dim, 0).flatten(1).to(torch::kFloat);
}

torch::Tensor thinned(const torch::Tensor& rows, std::int64_t samples) {
  const auto size = rows.size(1);
  return size <= samples ? rows : rows.slice(1, 0, size, (size + samples - 1) / samples);
}

// Of the joint steps of shifts: how many, on how many rows, and for layers of how many features: it
// is another three products of matrices of that size.
constexpr int kRefinements = 2;
constexpr std::int64_t kRowsOfStep = 8192;
constexpr std::int64_t kRowsOfStepPerFeature = 6;
constexpr std::int64_t kMostToRefine = 1024;

class Calibrator {
 public:
  Calibrator(jit::Module& blended, const Batches& batches, const CalibrationOptions& options,
             const CalibrationCallbacks& callbacks)
      : blended_(blended),
        batches_(batches),
        options_(options),
        callbacks_(callbacks),
        program_(blended),
        neighbours_(find_neighbours(program_)),
        replay_(program_, batches, options.memory) {
    for (const auto& batch : batches) {
      sizes_.push_back(batch.front().size(0));
      result_.inputs += sizes_.back();
    }
  }

  Calibration run() {
    const torch::NoGradGuard no_grad;
    result_.left_out = neighbours_.left_out;
    Safeguard safeguard(blended_, batches_.back(), fitted_tensors());
    move_inner_blends();
    auto steps = all_steps();
    Settled settled = {program_.position(program_.graph().return_node()),
                       program_.position(program_.graph().return_node())};
    for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
      settled.fitted = step->settled.fitted = std::min(settled.fitted, step->settled.fitted);
      settled.original = step->settled.original =
          std::min(settled.original, step->settled.original);
    }
    std::size_t sites = 0;
    for (const auto& step : steps) {
      settled_ = step.settled;
      if (step.layer != nullptr) {
        fit(*step.layer);
        continue;
      }
      if (step.norm != nullptr) {
        fit_output(*step.norm);
        continue;
      }
      tell(sites++);
      auto blend = module_at(blended_, step.site->path);
      change_input(*step.site, blend_target(blend));
      blend.setattr("t", 1.0);
    }
    tell(sites);
    re_estimate_norms();
    if (safeguard.undo_harm()) {
      forget_all();
    }
    return std::move(result_);
  }

 private:
  // All that neighbours allow to be changed.
  std::vector<torch::Tensor> fitted_tensors() const {
    std::vector<torch::Tensor> tensors;
    for (const auto& site : neighbours_.sites) {
      tensors.insert(tensors.end(), {site.bias, site.weight});
    }
    for (const auto& layer : neighbours_.layers) {
      tensors.insert(tensors.end(), {layer.weight, layer.bias, layer.running_mean});
    }
    for (const auto& norm : neighbours_.norms) {
      tensors.insert(tensors.end(), {norm.weight, norm.bias, norm.running_mean, norm.running_var});
    }
    std::erase_if(tensors, [](const torch::Tensor& tensor) { return !tensor.defined(); });
    return tensors;
  }

  void forget_all() {
    for (auto& site : result_.sites) {
      site = {.blend = site.blend};
    }
    result_.layers.clear();
    result_.batch_norms.clear();
    result_.left_out.emplace_back(
        "all of the model: the outputs were nearer to the original's without the calibration, "
        "which was taken back");
  }

  void tell(std::size_t sites) const {
    if (callbacks_.on_site) {
      callbacks_.on_site(sites, neighbours_.sites.size());
    }
  }

  // Up to where the models are what they will be, and no value will be asked for any more.
  struct Settled {
    std::size_t fitted = 0;
    std::size_t original = 0;
  };

  // Something that is changed, when all before it is done. One of the three is there.
  struct Step {
    std::size_t position;  // of the last value that is looked at
    Settled settled;
    const BlendSite* site = nullptr;
    const Layer* layer = nullptr;
    const BatchNorm* norm = nullptr;
  };

  // In the order of the program.
  std::vector<Step> all_steps() const {
    std::vector<Step> steps;
    for (const auto& site : neighbours_.sites) {
      const auto at = program_.position(site.call);
      const auto* first = site.producer_node == nullptr ? site.call : site.producer_node;
      steps.push_back({.position = at, .settled = {program_.position(first), at}, .site = &site});
    }
    for (const auto& layer : neighbours_.layers) {
      const auto at = program_.position(layer.compared->node());
      const auto node = program_.position(layer.node);
      const auto* shifted = site_to_refine(layer);
      // Per channel it is the layer's input that is compared.
      steps.push_back(
          {.position = at,
           .settled = {shifted == nullptr ? node : program_.position(shifted->producer_node),
                       is_wide(layer) ? node : at},
           .layer = &layer});
    }
    for (const auto& norm : neighbours_.norms) {
      // What the layer makes up for is not done again.
      if (!norm.is_behind_layer) {
        const auto at = program_.position(norm.node);
        steps.push_back({.position = at, .settled = {at, at}, .norm = &norm});
      }
    }
    std::stable_sort(steps.begin(), steps.end(),
                     [](const Step& a, const Step& b) { return a.position < b.position; });
    return steps;
  }

  std::vector<torch::Tensor> now(std::size_t batch, const std::vector<Moment>& moments) {
    check_interruption();
    return replay_.run(Which::fitted, batch, moments, settled_.fitted);
  }

  std::vector<torch::Tensor> before(std::size_t batch, const std::vector<Moment>& moments) {
    check_interruption();
    return replay_.run(Which::original, batch, moments, settled_.original);
  }

  // As its reader gets it.
  Moment read_by(const jit::Node* reader, const jit::Value* value) const {
    return {value, program_.position(reader)};
  }
  // As it is made.
  Moment made(const jit::Value* value) const {
    return {value, program_.position(value->node()) + 1};
  }

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
    if (callbacks_.should_stop && callbacks_.should_stop()) {
      throw Interrupted("The calibration was stopped");
    }
  }

  ActivationSamples samples_of(const BlendSite& site) {
    std::vector<torch::Tensor> x;
    std::vector<torch::Tensor> x_original;
    std::vector<torch::Tensor> y;
    std::int64_t examples = 0;
    std::int64_t samples = 0;
    const auto input = read_by(site.call, site.input);
    for (std::size_t i = 0; i < replay_.batches(); ++i) {
      const auto found = now(i, {input});
      const auto wanted = before(i, {input, made(site.output)});
      const auto share = std::max<std::int64_t>(1, kSamples * sizes_[i] / kExamples);
      const auto take = [&](const torch::Tensor& values, std::vector<torch::Tensor>& into) {
        into.push_back(thinned(per_channel(values, site.channel_dim), share));
      };
      take(found[0], x);
      take(wanted[0], x_original);
      take(wanted[1], y);
      examples += sizes_[i];
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
      record.channels = site.bias.numel();
      record.mean_scale = change.scale.mean().item<double>();
      result_.sites.push_back(std::move(record));
      shifts_[site.path] = torch::zeros_like(change.shift);
      add_shift(site, change.shift);
      return;
    }
    result_.sites.push_back(std::move(record));
  }

  // To what the record says of it.
  void add_shift(const BlendSite& site, const torch::Tensor& shift) {
    auto& total = shifts_.at(site.path);
    total += shift;
    for (auto& record : result_.sites) {
      if (record.blend == site.path) {
        record.mean_shift = total.abs().mean().item<double>();
        record.largest_shift = total.abs().max().item<double>();
      }
    }
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

  // How many batches have so many rows, and more examples than a few.
  std::size_t batches_for(std::int64_t rows, std::int64_t rows_of_batch) const {
    const auto needed = std::max((rows + rows_of_batch - 1) / rows_of_batch,
                                 (kExamples + sizes_[0] - 1) / sizes_[0]);
    return std::min(replay_.batches(), static_cast<std::size_t>(needed));
  }

  bool is_wide(const Layer& layer) const {
    return layer.weight.numel() / layer.weight.size(0) > options_.max_features;
  }

  void fit(const Layer& layer) {
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
  std::optional<Regression::Correction> regress(const Layer& layer) {
    Regression regression(layer);  // takes memory for the square of the features
    const auto features = layer.weight.numel() / layer.weight.size(0);
    const auto wanted = std::max(kRows, kRowsPerFeature * features);
    auto batches = replay_.batches();
    for (std::size_t i = 0; i < batches; ++i) {
      const auto found = now(i, {read_by(layer.node, layer.input), made(layer.compared)});
      const auto original = before(i, {made(layer.compared)});
      if (!has_batch(layer, found[0])) {
        return std::nullopt;
      }
      if (i == 0) {
        batches = batches_for(wanted, places_of(layer, found[1]) * found[1].size(0));
      }
      regression.add(found[0], lacking(layer, original[0], found[1]),
                     wanted / static_cast<std::int64_t>(batches) + 1);
    }
    return regression.solve();
  }

  // Whose shifts are chosen anew, by what the layer can make of them.
  const BlendSite* site_to_refine(const Layer& layer) const {
    const auto features = layer.weight.numel() / layer.weight.size(0);
    return layer.site < 0 || layer.groups != 1 || is_wide(layer) || features > kMostToRefine
               ? nullptr
               : &neighbours_.sites[static_cast<std::size_t>(layer.site)];
  }

  // Steps of all shifts together, with the layer solved for after each, while that helps on the
  // inputs held out.
  void refine(const Layer& layer, const BlendSite& site, CalibratedLayer& record) {
    const auto function = compiled(blend_target(module_at(blended_, site.path)));
    for (int i = 0; i < kRefinements; ++i) {
      const auto shift = shift_step(layer, site, function);
      const auto bias = site.bias.clone();
      torch::Tensor(site.bias).add_(shift.to(site.bias.dtype()));
      const auto correction = regress(layer);
      if (!(correction->error_after < record.error_after)) {
        torch::Tensor(site.bias).copy_(bias);
        return;
      }
      change(layer, correction->weight, correction->offset);
      record.error_after = correction->error_after;
      add_shift(site, shift);
    }
  }

  torch::Tensor shift_step(const Layer& layer, const BlendSite& site,
                           const std::function<torch::Tensor(const torch::Tensor&)>& function) {
    ShiftStep step(layer);
    const auto features = layer.weight.numel() / layer.weight.size(0);
    const auto wanted = std::max(kRowsOfStep, kRowsOfStepPerFeature * features);
    auto batches = replay_.batches();
    for (std::size_t i = 0; i < batches; ++i) {
      const auto found = now(i, {read_by(site.call, site.input), read_by(layer.node, layer.input),
                                 made(layer.compared)});
      const auto original = before(i, {made(layer.compared)});
      if (i == 0) {
        batches = batches_for(wanted, places_of(layer, found[2]) * found[2].size(0));
      }
      constexpr double kStep = 1e-2;  // of the derivative; a kink counts half on both sides
      const auto slope = (function(found[0] + kStep) - function(found[0] - kStep)) / (2.0 * kStep);
      step.add(found[1], slope, lacking(layer, original[0], found[2]),
               wanted / static_cast<std::int64_t>(batches) + 1);
    }
    return step.solve();
  }

  void fit_channels(const Layer& layer) {
    if (!has_batch(layer, now(0, {read_by(layer.node, layer.input)})[0])) {
      return;
    }
    ChannelFit channels(layer.weight.size(1) * layer.groups, layer.is_convolution ? 1 : -1,
                        layer.bias.defined() || layer.running_mean.defined());
    add_batches(channels, read_by(layer.node, layer.input));
    const auto correction = folded(layer, channels.solve());
    const auto [before, after] = kept_if_nearer(
        made(layer.compared), [&] { change(layer, correction.weight, correction.offset); },
        {layer.weight, layer.bias, layer.running_mean});
    result_.layers.push_back({.name = layer.name,
                              .fit = LayerFit::per_channel,
                              .error_before = before,
                              .error_after = after});
  }

  // A batch norm with no layer before it that makes up for what its input lacks.
  void fit_output(const BatchNorm& norm) {
    const auto output = made(norm.output);
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

  std::size_t batches_of_channels() const {
    return std::min(replay_.batches(), batches_for(kRows, sizes_[0]) + 1);
  }

  // All but the last, which is held out, where there is more than one.
  void add_batches(ChannelFit& channels, const Moment& moment) {
    for (std::size_t i = 0; i < std::max<std::size_t>(1, batches_of_channels() - 1); ++i) {
      channels.add(now(i, {moment})[0], before(i, {moment})[0]);
    }
  }

  struct Errors {  // root mean square
    double before;
    double after;
  };

  // A change of these tensors, on what is held out.
  template <typename Change>
  Errors kept_if_nearer(const Moment& compared, const Change& change,
                        std::vector<torch::Tensor> tensors) {
    const auto error = [&] {
      const auto last = batches_of_channels() - 1;
      const auto original = before(last, {compared});
      const auto found = now(last, {compared});
      return std::sqrt((original[0] - found[0]).to(torch::kDouble).square().mean().item<double>());
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

  // From the beginning, with all that was fitted.
  void re_estimate_norms() {
    if (neighbours_.norms.empty()) {
      return;
    }
    std::vector<Moment> moments;
    for (const auto& norm : neighbours_.norms) {
      moments.push_back(read_by(norm.node, norm.input));
    }
    std::vector<BatchStatistics> statistics(moments.size());
    Replay fresh(program_, batches_, 0);
    std::int64_t examples = 0;
    for (std::size_t batch = 0; batch < batches_.size(); ++batch) {
      check_interruption();
      const auto inputs = fresh.run(Which::fitted, batch, moments, 0);
      bool is_enough = (examples += sizes_[batch]) >= kExamples;
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        statistics[i].add(inputs[i]);
        is_enough = is_enough && statistics[i].count() >= kSamples;
      }
      if (is_enough) {
        break;
      }
    }
    for (std::size_t i = 0; i < statistics.size(); ++i) {
      re_estimate(neighbours_.norms[i], statistics[i]);
      result_.batch_norms.push_back(neighbours_.norms[i].name);
    }
  }

  // A single example without a batch dimension cannot be told from a batch of fewer dimensions.
  bool has_batch(const Layer& layer, const torch::Tensor& input) {
    const bool has = layer.is_convolution ? input.dim() == layer.weight.dim() : input.dim() > 1;
    if (!has) {
      result_.left_out.push_back(layer.name + ": its input has no batch dimension");
    }
    return has;
  }

  static void change(const Layer& layer, const torch::Tensor& weight, const torch::Tensor& offset) {
    torch::Tensor(layer.weight).add_(weight);
    if (layer.bias.defined()) {
      torch::Tensor(layer.bias).add_(offset);
    } else if (layer.running_mean.defined()) {
      torch::Tensor(layer.running_mean).sub_(offset);
    }
  }

  jit::Module& blended_;
  const Batches& batches_;
  const CalibrationOptions& options_;
  const CalibrationCallbacks& callbacks_;
  Program program_;
  Neighbourhood neighbours_;
  Replay replay_;
  std::vector<std::int64_t> sizes_;  // of the batches
  Settled settled_;                  // for the step that is being done
  Calibration result_;
  std::map<std::string, torch::Tensor> shifts_;  // of the sites, by path
};

}  // namespace

std::string to_string(LayerFit fit) {
  return fit == LayerFit::regression ? "regression" : "per channel";
}

std::string summary(const Calibration& calibration) {
  const auto shifted = std::count_if(calibration.sites.begin(), calibration.sites.end(),
                                     [](const auto& site) { return !site.producer.empty(); });
  const auto wide =
      std::count_if(calibration.layers.begin(), calibration.layers.end(),
                    [](const auto& layer) { return layer.fit == LayerFit::per_channel; });
  const auto count = [](auto number) { return std::to_string(number); };
  return count(shifted) + " of " + count(calibration.sites.size()) +
         " sites shifted, by the layer before; " + count(calibration.layers.size()) +
         " layers fitted, " + count(wide) + " of them per channel; " +
         count(calibration.batch_norms.size()) + " batch norms estimated anew; " +
         count(calibration.left_out.size()) + " left out; " +
         count(calibration.stays_at_inference.size()) + " things added to the model";
}

void CalibrationOptions::validate() const {
  const auto check = [](const char* name, std::int64_t value) {
    if (value < 1) {
      throw UsageError(std::string("Expected ") + name + " > 0, but got " + std::to_string(value));
    }
  };
  check("inputs", inputs);
  check("batch_size", batch_size);
  check("max_features", max_features);
  check("memory", memory + 1);
}

Calibration calibrate(jit::Module& blended, const Batches& batches,
                      const CalibrationOptions& options, const CalibrationCallbacks& callbacks) {
  options.validate();
  if (batches.empty()) {
    throw UsageError("Expected inputs to calibrate with, but there are none");
  }
  const EvalMode eval(blended);
  const auto begin = std::chrono::steady_clock::now();
  auto result = Calibrator(blended, batches, options, callbacks).run();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

Calibration calibrate(Retargeter& swap, const Dataset& data, const CalibrationOptions& options,
                      std::uint64_t seed, const CalibrationCallbacks& callbacks) {
  options.validate();
  swap.set_blend(0.0);
  return calibrate(swap.module(), sample_inputs(data, options.inputs, options.batch_size, seed),
                   options, callbacks);
}

}  // namespace actswap
