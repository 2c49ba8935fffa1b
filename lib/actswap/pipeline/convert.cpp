#include <actswap/base/error.h>
#include <actswap/base/files.h>
#include <actswap/calibrate/calibrated_ramp.h>
#include <actswap/data/sample.h>
#include <actswap/graph/insert.h>
#include <actswap/graph/retarget.h>
#include <actswap/measure/judge.h>
#include <actswap/pipeline/choose_plan.h>
#include <actswap/pipeline/convert.h>
#include <actswap/pipeline/training_defaults.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <sstream>

namespace actswap {

namespace {

// Relative to the largest output.
constexpr double kTolerance = 1e-5;

std::string number(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

std::string in_words(const Schedule& schedule) {
  const auto& options = schedule.options();
  if (options.end == 0.0) {
    return "t = 1 from the start";
  }
  return to_string(schedule.curve()) + " from " + number(options.begin) + " to " +
         number(options.end) + (options.unit == ScheduleUnit::epochs ? " epochs" : " steps");
}

class Conversion {
 public:
  Conversion(const Model& model, const Plan& plan, const ConvertOptions& options,
             const ConvertCallbacks& callbacks)
      : options_(options),
        callbacks_(callbacks),
        schedule_(options.schedule),
        model_(model),
        swap_(model, plan,
              options.train_data || options.calibration_data ? Tensors::copied : Tensors::shared,
              options.blend_code) {
    run_.model_path = model.path;
    run_.output = options.output;
    run_.run_directory = options.run_directory;
    run_.plan = plan;
    run_.parameters = parameter_count(model.module);
    run_.trained = options.train_data != nullptr;
    run_.train = options.train;
    run_.schedule = in_words(schedule_);
    measurable_ = options.is_measurable();
  }

  /// What the plan was made from.
  void note(const std::optional<Sensitivity>& sensitivity) { run_.sensitivity = sensitivity; }

  /// All but the export.
  void prepare() {
    options_.validate();
    if (options_.validation_data && !measurable_) {
      message("the validation data has no target: outputs are compared with the original's");
    }
    check_insertion();
    original_ = recompile(model_.module);
    if (measurable_) {
      message("measuring the original and the swap alone");
      run_.original = measure(original_);
      swap_.set_blend(1.0);
      run_.swap_alone = measure(swap_.module());
    }
    retarget();
  }

  /// With another seed, what the first gave.
  SeedResult repeat(const Run& first) {
    run_.original = first.original;
    run_.train.learning_rate = first.train.learning_rate;
    run_.rate_sweep = first.rate_sweep;
    run_.site_order = first.site_order;
    original_ = recompile(model_.module);
    retarget();
    return result();
  }

  void add(SeedResult other) {
    if (run_.seeds.empty()) {
      run_.seeds.push_back(result());
    }
    run_.seeds.push_back(std::move(other));
    record();
  }

  Run finish() {
    check_gate();
    check_interruption();
    write();
    record();
    return run_;
  }

  const Run& run() const { return run_; }

  void message(const std::string& text) const {
    if (callbacks_.on_message) {
      callbacks_.on_message(text);
    }
  }

 private:
  SeedResult result() const {
    SeedResult result{.seed = options_.train.seed,
                      .retargeted = {run_.retargeted, run_.agreement.value()}};
    if (control_) {
      result.control = Judgement{run_.control, run_.control_agreement.value()};
    }
    return result;
  }

  void retarget() {
    if (options_.calibration_data) {
      calibrate_retargeted();
    }
    if (run_.trained) {
      train_retargeted();
      if (options_.control) {
        train_control();
      }
    } else if (!options_.calibration_data) {
      message("a plain swap: no training data, the parameters stay as they are");
    }
    check_interruption();
    swap_.set_blend(1.0);
    swap_.module().eval();
    if (options_.validation_data) {
      judge_results();
    }
    record();
  }

  // In one pass: beside the original, whose outputs the others are compared with.
  void judge_results() {
    std::vector<Variant> variants = {{original_}, {swap_.module()}};
    if (control_) {
      variants.push_back({*control_});
    }
    const auto judgements =
        judge(variants, *options_.validation_data, {.should_stop = callbacks_.should_stop});
    run_.retargeted = judgements[1].evaluation;
    run_.agreement = judgements[1].agreement;
    if (control_) {
      run_.control = judgements[2].evaluation;
      run_.control_agreement = judgements[2].agreement;
    }
  }

  Evaluation measure(torch::jit::Module& module) const {
    constexpr std::int64_t kBatchSize = 256;
    return evaluate(module, *options_.validation_data, kBatchSize, callbacks_.should_stop);
  }

  void check_interruption() const {
    if (callbacks_.should_stop && callbacks_.should_stop()) {
      throw Interrupted("The conversion was stopped");
    }
  }

  // The record is written as the run goes on, so that what is known outlives an interruption.
  void record() {
    run_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    run_.model_sha256 = model_.sha256();
    if (run_.run_directory.empty()) {
      return;
    }
    std::error_code error;
    std::filesystem::create_directories(run_.run_directory, error);
    if (error) {
      throw FileError("Cannot make the folder '" + run_.run_directory + "': " + error.message());
    }
    write_text_atomically(run_.run_directory + "/run.json", to_json(run_) + "\n");
  }

  TrainCallbacks training_callbacks(const std::string& name, torch::jit::Module& module,
                                    std::vector<EpochRecord>& epochs) {
    TrainCallbacks training;
    if (options_.validation_data) {
      training.check = [this, &module] { return check(module); };
    }
    training.should_stop = callbacks_.should_stop;
    const auto phase =
        options_.seeds > 1 ? name + ", seed " + std::to_string(options_.train.seed) : name;
    if (callbacks_.on_step) {
      training.on_step = [this, phase](const Progress& progress) {
        callbacks_.on_step(phase, progress);
      };
    }
    training.on_epoch = [this, phase, &epochs](const EpochRecord& epoch) {
      epochs.push_back(epoch);
      record();
      if (callbacks_.on_epoch) {
        callbacks_.on_epoch(phase, epoch);
      }
    };
    return training;
  }

  // The blends must not change what the model computes before t moves.
  void check_insertion() {
    auto original = recompile(model_.module);
    Probe probe;
    if (!options_.probe_inputs.empty()) {
      probe = run_probe(original, options_.probe_inputs);
    } else {
      const auto& training_data =
          options_.train_data ? options_.train_data : options_.calibration_data;
      const auto& data = options_.validation_data ? options_.validation_data : training_data;
      is_probe_given_ = data != nullptr;
      probe = data ? run_probe(original, first_inputs(*data)) : guess_probe(original);
    }
    probe_inputs_ = probe.inputs;
    if (probe_inputs_.empty()) {
      return;
    }
    const auto result = compare_with(probe, swap_.module(), insertion_tolerance(run_.plan, model_));
    if (!result.verified) {
      throw VerificationError("The model with blends at t = 0 differs from the original: " +
                              result.reason + "; this is a bug in actswap, nothing was written");
    }
  }

  void calibrate_retargeted() {
    options_.calibration.validate();
    const auto& data = *options_.calibration_data;
    message("calibrating on " + std::to_string(std::min(options_.calibration.inputs, data.size())) +
            " inputs");
    const CalibrationCallbacks callbacks = {.should_stop = callbacks_.should_stop,
                                            .on_site = callbacks_.on_calibrated_site,
                                            .on_pass = callbacks_.on_calibration_pass};
    swap_.set_blend(0.0);
    const bool is_ramp = run_.trained && schedule_.at(0.0) < 1.0;
    if (is_ramp) {
      calibrated_ramp_.emplace(swap_.module());
    }
    run_.calibration = calibrate(swap_, data, options_.calibration, options_.train.seed, callbacks);
    message("calibrated: " + summary(*run_.calibration));
    for (const auto& reason : run_.calibration->left_out) {
      message("not calibrated: " + reason);
    }
    if (run_.trained && options_.has_default_rate) {
      run_.train.learning_rate = default_learning_rate(
          run_.calibration->learning_rate, run_.train.steps(options_.train_data->size()));
      message("learning rate: " + number(run_.train.learning_rate));
    }
    if (measurable_) {
      run_.calibrated = measure(swap_.module());
    }
    if (is_ramp) {
      calibrated_ramp_->rewind();
    }
    record();
  }

  // One t for all, or one for each site in their order. What a calibration changed follows the
  // mean.
  void move_to(const std::vector<double>& blends) {
    double sum = 0.0;
    for (std::size_t i = 0; i < blends.size(); ++i) {
      sum += blends[i];
      if (run_.site_order.empty()) {
        swap_.set_blend(blends[i]);
      } else {
        swap_.set_blend(run_.site_order[i], blends[i]);
      }
    }
    if (calibrated_ramp_) {
      calibrated_ramp_->move(sum / static_cast<double>(blends.size()));
    }
  }

  // Without labels: sum |y - y0|^2 / sum |y0|^2, which is 0 for the original.
  Check check(torch::jit::Module& module) {
    if (measurable_) {
      const auto evaluation = measure(module);
      return {evaluation.value, drop(*run_.original, evaluation)};
    }
    JudgeOptions judging;
    judging.should_stop = callbacks_.should_stop;
    const double error = judge({{original_}, {module}}, *options_.validation_data, judging)
                             .at(1)
                             .agreement.relative_error;
    return {error, error};
  }

  std::vector<Schedule> plan_ramps() {
    if (run_.site_order.empty()) {  // a first seed may have found one
      run_.site_order = options_.site_order;
    }
    if (run_.site_order.empty() && options_.order != SiteOrder::together) {
      message("ordering the sites: " + to_string(options_.order));
      const auto& data = options_.validation_data ? options_.validation_data : options_.train_data;
      run_.site_order = order_sites(options_.order, model_, run_.plan, probe_inputs_, data.get(),
                                    callbacks_.should_stop);
    }
    if (run_.site_order.empty()) {
      return {schedule_};
    }
    auto expected = order_sites(SiteOrder::together, model_, run_.plan, {}, nullptr);
    auto given = run_.site_order;
    std::sort(expected.begin(), expected.end());
    std::sort(given.begin(), given.end());
    if (given != expected) {
      throw UsageError("Expected an order of all " + std::to_string(expected.size()) +
                       " sites that are swapped, each once, but got " +
                       std::to_string(given.size()) + " that are not those");
    }
    run_.schedule += ", site after site (" +
                     (options_.site_order.empty() ? to_string(options_.order) : "as listed") + ")";
    return one_after_another(schedule_, run_.site_order.size());
  }

  // A model needs its time at t = 1 (docs/recovery.md).
  void warn_of_a_long_ramp() const {
    const auto batches =
        static_cast<double>(run_.train.batches_per_epoch(options_.train_data->size()));
    const double end = schedule_.in_epochs(batches).options().end;
    if (end > 0.5 * run_.train.epochs && schedule_.options().hold == 0.0) {
      message("warning: t reaches 1 after " + number(100.0 * end / run_.train.epochs) +
              " % of the training; at least half of it at t = 1 is advised");
    }
  }

  void sweep_rates_from(const std::vector<Schedule>& ramps,
                        const std::function<void(const std::vector<double>&)>& move) {
    message("learning rate: short trainings with each");
    run_.rate_sweep = sweep_rates(swap_.module(), teacher(), *options_.train_data, ramps, move,
                                  run_.train, callbacks_.should_stop);
    const auto& sweep = *run_.rate_sweep;
    message("loss on " + std::to_string(sweep.held_out) + " training examples held out, after " +
            std::to_string(sweep.steps) + " steps (before: " + number(sweep.start_loss) + "):");
    for (const auto& trial : sweep.trials) {
      message("  rate " + number(trial.rate) + ": " + number(trial.loss) +
              (trial.rate == sweep.chosen ? ", chosen" : ""));
    }
    message("the sweep took " +
            std::to_string(sweep.steps * static_cast<std::int64_t>(sweep.trials.size())) +
            " steps, " + number(std::round(sweep.seconds)) + " s");
    run_.train.learning_rate = sweep.chosen;
  }

  void train_retargeted() {
    warn_of_a_long_ramp();
    const auto ramps = plan_ramps();
    message("training: " + run_.schedule + ", loss " + to_string(options_.train.loss));
    if (options_.train.loss.has(Signal::sites)) {
      swap_.observe_blends();
    }
    const auto move = [this](const std::vector<double>& blends) { move_to(blends); };
    move_to(std::vector<double>(ramps.size(), schedule_.at(0.0)));
    if (options_.sweeps_rate && !run_.rate_sweep) {
      sweep_rates_from(ramps, move);
    }
    std::optional<TrainingSafeguard> safeguard;
    if (run_.calibration && !calibrated_ramp_) {
      safeguard.emplace(swap_.module(), teacher(), *options_.train_data, run_.train);
    }
    train(swap_.module(), teacher(), *options_.train_data, ramps, move, run_.train,
          training_callbacks("retarget", swap_.module(), run_.epochs));
    if (safeguard) {
      note(safeguard->undo_harm());
    }
  }

  void note(const TrainingEffect& effect) {
    run_.training_effect = effect;
    if (effect.taken_back) {
      message("the training is taken back: it made the loss on " + std::to_string(effect.examples) +
              " training examples worse, from " + number(effect.before) + " to " +
              number(effect.after) + "; a lower --lr, --lr auto or more epochs may do better");
    }
  }

  // Where the loss looks inside: the original with blends that stay at 0 and report.
  torch::jit::Module original_for_training(Tensors tensors) const {
    const auto& loss = options_.train.loss;
    if (!loss.has(Signal::sites) && !loss.has(Signal::layers)) {
      return tensors == Tensors::copied ? reload(model_.module) : recompile(model_.module);
    }
    Retargeter blended(model_, run_.plan, tensors, BlendCode::stock);
    if (loss.has(Signal::sites)) {
      blended.observe_blends();
    }
    return blended.module();
  }

  std::optional<torch::jit::Module> teacher() const {
    return options_.train.loss.needs_original()
               ? std::optional(original_for_training(Tensors::shared))
               : std::nullopt;
  }

  void train_control() {
    message("training the control: the original with the same budget, data and seed");
    control_ = original_for_training(Tensors::copied);
    auto options = run_.train;
    options.bound = {};                                   // there is nothing to wait for
    options.keeps_statistics = false;                     // as the original was trained
    options.loss = options.loss.without(Signal::layers);  // for that it would have to keep them
    train(
        *control_, teacher(), *options_.train_data, options_.schedule, [](double) {}, options,
        training_callbacks("control", *control_, run_.control_epochs));
  }

  void check_gate() {
    if (!options_.max_drop) {
      return;
    }
    const double fall = drop(*run_.original, *run_.retargeted);
    if (fall <= *options_.max_drop) {
      return;
    }
    record();
    throw Error(ErrorKind::accuracy, "The " + run_.original->metric + " fell by " + number(fall) +
                                         " (from " + number(run_.original->value) + " to " +
                                         number(run_.retargeted->value) + "), more than the " +
                                         number(*options_.max_drop) + " allowed; '" + run_.output +
                                         "' was not written");
  }

  void write() {
    ExportOptions exporting;
    exporting.probe_inputs = probe_inputs_;
    exporting.tolerance = kTolerance;
    if (run_.trained) {
      exporting.provenance = {{"schedule", run_.schedule},
                              {"loss", to_string(options_.train.loss)},
                              {"seed", std::to_string(options_.train.seed)}};
    }
    message("collapsing, verifying, writing");
    run_.verification = export_model(swap_, run_.output, exporting);
    if (is_probe_given_) {
      LatencyOptions latency;
      latency.rounds = 10;
      run_.latency = measure_latency({model_.module, collapsed(swap_.module())},
                                     exporting.probe_inputs, RuntimeSetting::plain, latency);
    }
  }

  const ConvertOptions& options_;
  const ConvertCallbacks& callbacks_;
  const Schedule schedule_;
  const Model& model_;
  Retargeter swap_;
  std::optional<CalibratedRamp> calibrated_ramp_;  // where t rises after a calibration
  torch::jit::Module original_;
  std::optional<torch::jit::Module> control_;
  std::vector<torch::Tensor> probe_inputs_;
  Run run_;
  bool measurable_ = false;
  bool is_probe_given_ = true;  // otherwise it was guessed
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

Run convert_planned(const Model& model, const Plan& plan, const ConvertOptions& options,
                    const ConvertCallbacks& callbacks,
                    const std::optional<Sensitivity>& sensitivity) {
  Conversion conversion(model, plan, options, callbacks);
  conversion.note(sensitivity);
  conversion.prepare();
  for (std::int64_t i = 1; i < options.seeds; ++i) {
    conversion.message("again with seed " +
                       std::to_string(options.train.seed + static_cast<std::uint64_t>(i)));
    ConvertOptions other = options;
    other.train.seed += static_cast<std::uint64_t>(i);
    other.run_directory.clear();  // one record, of the first
    conversion.add(Conversion(model, plan, other, callbacks).repeat(conversion.run()));
  }
  return conversion.finish();
}

}  // namespace

Run convert(const Model& model, const Plan& plan, const ConvertOptions& options,
            const ConvertCallbacks& callbacks) {
  if (!options.plan_by_sensitivity && !options.budget_ms) {
    return convert_planned(model, plan, options, callbacks, std::nullopt);
  }
  const auto chosen = choose_plan(model, plan, options, callbacks);
  return convert_planned(model, chosen.plan, options, callbacks, chosen.sensitivity);
}

}  // namespace actswap
