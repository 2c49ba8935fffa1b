#include <actswap/base/clock.h>
#include <actswap/base/error.h>
#include <actswap/base/memory.h>
#include <actswap/calibrate/batch_memory.h>
#include <actswap/calibrate/batch_norm.h>
#include <actswap/calibrate/both_models.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/calibration_fields.h>
#include <actswap/calibrate/calibrator.h>
#include <actswap/calibrate/inner_blends.h>
#include <actswap/calibrate/joint_fit.h>
#include <actswap/calibrate/layer_fits.h>
#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/memory_shares.h>
#include <actswap/calibrate/program.h>
#include <actswap/calibrate/program_tensors.h>
#include <actswap/calibrate/regression.h>
#include <actswap/calibrate/safeguard.h>
#include <actswap/calibrate/site_fit.h>
#include <actswap/calibrate/steps.h>
#include <actswap/calibrate/whole.h>
#include <actswap/data/sample.h>
#include <actswap/graph/kept_state.h>
#include <actswap/graph/walk.h>

#include <torch/script.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <optional>
#include <utility>

namespace actswap {

namespace jit = torch::jit;

namespace {

using Clock = std::chrono::steady_clock;

// Limits of the joint fit if nobody gives passes or minutes: small networks gain little from more
// passes, and large ones are worth a few minutes.
constexpr std::int64_t kPasses = 20;
constexpr std::int64_t kPassesOfPruned = 60;  // a pruned model has more to make up for
constexpr double kSecondsOfPasses = 180.0;
// With minutes: the fit ends by itself when it gains no more.
constexpr std::int64_t kMostPasses = 1000;
// How often a calibration stores the tensors of a joint fit: the original's, those of the
// safeguard, the best with AdamW's averages, the averages now, the gradients of a step and of a
// part of it.
constexpr std::int64_t kCopiesOfTensors = 9;
// Training learns from noisier signals than the errors of layers.
constexpr double kShareOfRate = 0.4;

class Calibrator {
 public:
  /// @param original null: what the module computes with its blends at 0
  Calibrator(jit::Module& blended, const Original* original, const Batches& batches,
             const InputStream* stream, const CalibrationOptions& options,
             const CalibrationCallbacks& callbacks)
      : blended_(blended),
        original_(original),
        options_(options),
        memory_(share_out(options.memory, options.together.of_first(bytes_of(batches)))),
        callbacks_(callbacks),
        program_(original == nullptr ? Program(blended, batches)
                                     : Program(blended, original->module, batches)),
        stream_(program_.is_for_these_inputs() ? nullptr : stream),
        neighbours_(
            find_neighbours(program_, original == nullptr ? KeptEntries() : original->kept)),
        models_(
            program_, batches, options.memory, [this] { return should_stop(); }, options.together),
        site_fit_(models_, blended, result_.sites),
        layer_fits_(models_, site_fit_, neighbours_.sites,
                    std::min(options.max_features, Regression::widest(memory_.regression)),
                    result_) {
    for (std::size_t i = 0; i < batches.size(); ++i) {
      result_.inputs += models_.size(i);
    }
    expect_same_on_all_ranks();
    if (original_ != nullptr) {  // blends have their shifts
      for (auto& layer : neighbours_.layers) {
        layer.site = -1;
      }
    }
  }

  Calibration run() {
    const torch::NoGradGuard no_grad;
    result_.left_out = neighbours_.left_out;
    const auto fitted = fitted_tensors();
    const KeptState kept(blended_, fitted);  // a model may count its calls
    auto safeguard = original_ == nullptr
                         ? Safeguard(blended_, models_.inputs().back(), fitted, options_.together)
                         : Safeguard(blended_, original_->module, models_.inputs().back(), fitted,
                                     options_.together);
    if (original_ == nullptr) {
      move_inner_blends(blended_, program_, neighbours_, result_.left_out);
    }
    if (!callbacks_.resume.is_empty()) {
      take_up(callbacks_.resume, fitted);
    }
    fitted_ = fitted;
    take_all_steps();
    tell();
    if (callbacks_.on_solved) {
      callbacks_.on_solved();
    }
    fit_together();
    give_back_freed_memory();
    re_estimate(
        neighbours_.norms, program_, models_.inputs(), [this] { models_.check_interruption(); },
        options_.together);
    for (const auto& norm : neighbours_.norms) {
      result_.batch_norms.push_back(norm.name);
    }
    if (const auto reason = safeguard.undo_harm(); !reason.empty()) {
      forget_all(reason);
    }
    options_.together.take_from_first(fitted);
    return std::move(result_);
  }

 private:
  // A single process stops at any time; ranks stop only where they agreed on it.
  bool should_stop() const {
    return options_.together.is_alone() ? callbacks_.should_stop && callbacks_.should_stop()
                                        : stops_;
  }

  void agree_on_stop() {
    if (!options_.together.is_alone()) {
      stops_ = options_.together.any(callbacks_.should_stop && callbacks_.should_stop());
      models_.check_interruption();
    }
  }

  void expect_same_on_all_ranks() const {
    std::string facts;
    for (std::size_t i = 0; i < models_.inputs().size(); ++i) {
      facts +=
          "examples of batch " + std::to_string(i) + ": " + std::to_string(models_.size(i)) + "\n";
    }
    for (const auto& site : neighbours_.sites) {
      facts += "site: " + site.path + " after " + site.producer + "\n";
    }
    for (const auto& layer : neighbours_.layers) {
      facts += "layer: " + layer.name + "\n";
    }
    options_.together.expect_same(facts);
  }

  // All that neighbours allow to be changed.
  std::vector<torch::Tensor> fitted_tensors() const {
    std::vector<torch::Tensor> tensors;
    for (const auto& site : neighbours_.sites) {
      tensors.insert(tensors.end(), {site.bias, site.weight});
    }
    for (const auto& layer : neighbours_.layers) {
      tensors.insert(tensors.end(), {layer.weight, layer.bias, layer.offset.tensor});
    }
    for (const auto& norm : neighbours_.norms) {
      tensors.insert(tensors.end(), {norm.weight, norm.bias, norm.running_mean, norm.running_var});
    }
    std::erase_if(tensors, [](const torch::Tensor& tensor) { return !tensor.defined(); });
    std::transform(tensors.begin(), tensors.end(), tensors.begin(), whole_of);
    return tensors;
  }

  void forget_all(const std::string& reason) {
    for (auto& site : result_.sites) {
      site = {.blend = site.blend};
    }
    result_.layers.clear();
    result_.joint = {};
    result_.learning_rate = 0.0;
    result_.batch_norms.clear();
    result_.left_out.push_back("all of the model: the calibration was taken back, since " + reason);
  }

  void tell() const {
    if (callbacks_.on_site) {
      callbacks_.on_site(done_, count_);
    }
  }

  JointFitLimits limits() const {
    if (!options_.minutes) {
      return {options_.passes, original_ == nullptr ? kPasses : kPassesOfPruned, kSecondsOfPasses};
    }
    return {options_.passes, kMostPasses, 60.0 * *options_.minutes - seconds_since(begin_)};
  }

  void fit_together() {
    auto limits = this->limits();
    limits.seconds = options_.together.of_first(limits.seconds);
    if (options_.passes == 0 || (!options_.passes && !(limits.seconds > 0.0))) {
      if (options_.passes != 0 && options_.minutes.value_or(0.0) > 0.0) {
        result_.left_out.push_back(
            "all layers together: solving took all of the minutes; allow more, or give a number of "
            "passes");
      }
      return;
    }
    FittedTensors tensors(neighbours_);
    const auto granted = beside_libtorch(options_.memory);
    const auto taken = bytes_of(models_.inputs()) + kCopiesOfTensors * bytes_of(tensors.tensors());
    JointError error(program_, neighbours_, models_.inputs(), stream_, tensors.tensors(),
                     std::max<std::int64_t>(0, granted - taken), options_.together);
    if (tensors.empty() || !error.is_possible()) {
      return;
    }
    const JointFitCallbacks callbacks = {
        .before_each_batch =
            [this] {
              agree_on_stop();
              models_.check_interruption();
              models_.give_back_beyond(options_.memory / 2);
            },
        .around_backward = [this] { models_.give_back_beyond(options_.memory / 2); },
        .on_trials =
            [this](double seconds) {
              if (callbacks_.on_trials) {
                callbacks_.on_trials(seconds);
              }
            },
        .on_plan =
            [this](std::int64_t passes, double seconds) {
              if (callbacks_.on_joint_fit) {
                callbacks_.on_joint_fit(passes, seconds);
              }
            },
        .on_pass =
            [this](std::int64_t done, std::int64_t passes) {
              if (callbacks_.on_pass) {
                callbacks_.on_pass(static_cast<std::size_t>(done),
                                   static_cast<std::size_t>(passes));
              }
            },
        .saves_now = callbacks_.saves_now,
        .save =
            [this](const State& joint) {
              if (callbacks_.save) {
                State whole = state();
                whole.set_part("joint", joint);
                callbacks_.save(whole);
              }
            },
        .resume = joint_};
    auto& joint = result_.joint = JointFit(tensors, error).run(limits, callbacks);
    if (!joint.reason.empty()) {
      result_.left_out.push_back("all layers together: " + joint.reason);
    } else {
      result_.learning_rate = kShareOfRate * joint.rate *
                              std::sqrt(joint.error_after / joint.error_before) *
                              tensors.middle_size();
    }
  }

  // Between two steps.
  State state() const {
    State state;
    FieldWriter fields(state);
    fields("steps", steps_done_);
    fields("result", result_);
    fields("tensors", fitted_);
    fields("site_fit", site_fit_);
    fields("seconds", seconds_since(begin_));
    return state;
  }

  void take_up(const State& state, const std::vector<torch::Tensor>& fitted) {
    FieldReader fields(state);
    fields("steps", steps_done_);
    fields("result", result_);
    fields("site_fit", site_fit_);
    std::vector<torch::Tensor> tensors;
    fields("tensors", tensors);
    for (std::size_t i = 0; i < fitted.size(); ++i) {
      fitted[i].copy_(tensors.at(i));
    }
    double seconds = 0.0;
    fields("seconds", seconds);
    begin_ -= std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    joint_ = state.part("joint");
  }

  // An interrupted step leaves no trace.
  void take(const CalibrationStep& step) {
    take_or_undo(step);
    options_.together.take_from_first(step.changed);
  }

  void take_or_undo(const CalibrationStep& step) {
    const auto take = [&] {
      agree_on_stop();
      change(step);
    };
    if (!callbacks_.save) {
      take();
      return;
    }
    auto tensors = step.changed;
    std::erase_if(tensors, [](const torch::Tensor& tensor) { return !tensor.defined(); });
    const auto before = copy_tensors(tensors);
    const State others = state_of_steps();
    try {
      take();
    } catch (const Interrupted&) {
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        tensors[i].copy_(before[i]);
      }
      FieldReader fields(others);
      fields("result", result_);
      fields("site_fit", site_fit_);
      callbacks_.save(state());
      throw;
    }
  }

  State state_of_steps() const {
    State state;
    FieldWriter fields(state);
    fields("result", result_);
    fields("site_fit", site_fit_);
    return state.copy();
  }

  void move(const BlendSite& site) {
    module_at(blended_, site.path).setattr("t", 1.0);
    ++done_;
  }

  void change(const CalibrationStep& step) {
    if (step.site != nullptr) {
      tell();
      site_fit_.fit(*step.site);
      move(*step.site);
    } else if (step.layer != nullptr) {
      layer_fits_.fit(*step.layer);
    } else {
      layer_fits_.fit(*step.norm);
    }
  }

  void take_all_steps() {
    const auto steps = plan_steps(program_, neighbours_, layer_fits_, original_ == nullptr);
    std::vector<BothModels::Settled> settled;
    settled.reserve(steps.size());
    for (const auto& step : steps) {
      settled.push_back(step.settled);
    }
    models_.plan(settled, memory_.kept);
    count_ = original_ == nullptr ? neighbours_.sites.size() : steps.size();
    for (std::size_t i = 0; i < steps.size(); ++i) {
      models_.begin_step(i);
      if (i >= steps_done_) {
        if (original_ != nullptr) {
          tell();
          ++done_;
        }
        take(steps[i]);
        ++steps_done_;
        if (callbacks_.saves_now && callbacks_.saves_now()) {
          callbacks_.save(state());
        }
      } else if (steps[i].site != nullptr) {
        move(*steps[i].site);
      }
    }
    models_.end_steps();
  }

  jit::Module& blended_;
  const Original* original_;
  const CalibrationOptions& options_;
  MemoryShares memory_;
  const CalibrationCallbacks& callbacks_;
  Clock::time_point begin_ = Clock::now();
  Calibration result_;
  Program program_;
  const InputStream* stream_;
  Neighbourhood neighbours_;
  BothModels models_;
  SiteFit site_fit_;
  LayerFits layer_fits_;
  std::size_t done_ = 0;   // sites; if these stay as they are, steps
  std::size_t count_ = 0;  // of these
  std::vector<torch::Tensor> fitted_;
  State joint_;  // of a joint fit that is resumed
  std::size_t steps_done_ = 0;
  bool stops_ = false;
};

}  // namespace

Calibration run_calibration(jit::Module& blended, const Original* original, const Batches& batches,
                            const InputStream* stream, const CalibrationOptions& options,
                            const CalibrationCallbacks& callbacks) {
  return Calibrator(blended, original, batches, stream, options, callbacks).run();
}

}  // namespace actswap
