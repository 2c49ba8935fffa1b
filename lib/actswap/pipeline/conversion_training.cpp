#include <actswap/base/error.h>
#include <actswap/calibrate/layer_comparison.h>
#include <actswap/measure/judge.h>
#include <actswap/pipeline/conversion_fields.h>
#include <actswap/pipeline/conversion_training.h>
#include <actswap/pipeline/noted.h>
#include <actswap/train/batch_loss.h>
#include <actswap/train/rate_search.h>
#include <actswap/train/training_safeguard.h>

#include <algorithm>
#include <cmath>

namespace actswap {

namespace {

constexpr const char* kTrials = "trials of the rate";  // in the checkpoints

}  // namespace

TrainCallbacks ConversionTraining::callbacks_of(const std::string& name,
                                                std::vector<EpochRecord>& epochs,
                                                const std::function<Check()>& check) {
  TrainCallbacks training;
  training.check = check;
  training.should_stop = state_.callbacks.should_stop;
  const auto phase = state_.options.seeds > 1
                         ? name + ", seed " + std::to_string(state_.options.train.seed)
                         : name;
  training.on_step = [this, phase](const Progress& progress) {
    state_.progress.log.step(progress);
    if (state_.callbacks.on_step) {
      state_.callbacks.on_step(phase, progress);
    }
  };
  training.on_check = [this](const CheckRecord& found) { state_.progress.log.check(found); };
  training.on_retry = [this, &epochs](const Retry& retry) { note(retry, epochs); };
  auto& checkpoints = state_.progress.checkpoints;
  const auto key = state_.phase(name);
  training.saves_at = [&checkpoints](SavePoint point) { return checkpoints.is_due(point); };
  training.save = [&checkpoints, key](const State& state) { checkpoints.save(key, state); };
  training.resume = checkpoints.unfinished(key);
  if (!training.resume.is_empty()) {
    TrainingPlace place;
    FieldReader{training.resume}("place", place);
    epochs = place.epochs;
    state_.message(phase + ": goes on after step " + std::to_string(place.step));
  }
  training.on_epoch = [this, phase, &epochs](const EpochRecord& epoch) {
    epochs.push_back(epoch);
    state_.progress.log.epoch(epoch);
    state_.record();
    if (state_.callbacks.on_epoch) {
      state_.callbacks.on_epoch(phase, epoch);
    }
  };
  return training;
}

TrainCallbacks ConversionTraining::callbacks_of_retargeted(const std::function<Check()>& check) {
  auto training = callbacks_of("retarget", state_.run.epochs, check);
  if (state_.calibrated_ramp) {
    training.state_of_blends = [this] { return state_of(*state_.calibrated_ramp); };
    training.restore_blends = [this](const State& state) {
      restore(*state_.calibrated_ramp, state);
    };
  }
  return training;
}

void ConversionTraining::note(const Retry& retry, std::vector<EpochRecord>& epochs) {
  std::erase_if(epochs, [&](const EpochRecord& epoch) { return epoch.step > retry.back_to; });
  state_.progress.log.retry(retry);
  state_.message("warning: the training diverged at step " + std::to_string(retry.step) + ": " +
                 retry.reason + "; it goes back to step " + std::to_string(retry.back_to) +
                 " and on at half the rate, " + number(retry.learning_rate));
}

// One t for all, or one for each site in their order. What a calibration changed, and units that
// fade, follow the mean.
void ConversionTraining::move_to(const std::vector<double>& blends) {
  double sum = 0.0;
  for (std::size_t i = 0; i < blends.size(); ++i) {
    sum += blends[i];
    if (state_.run.site_order.empty()) {
      state_.swap.set_blend(blends[i]);
    } else {
      state_.swap.set_blend(state_.run.site_order[i], blends[i]);
    }
  }
  const double mean = sum / static_cast<double>(blends.size());
  if (state_.calibrated_ramp) {
    state_.calibrated_ramp->move(mean);
  }
  if (state_.fading) {
    state_.fading->move(mean);
  }
}

std::function<Check()> ConversionTraining::check_of(torch::jit::Module& module) {
  if (!state_.options.validation_data) {
    return {};
  }
  return [this, &module] { return check(module); };
}

// Without labels: sum |y - y0|^2 / sum |y0|^2, which is 0 for the original.
Check ConversionTraining::check(torch::jit::Module& module) {
  if (state_.is_measurable) {
    const auto evaluation = state_.measure(module);
    return {evaluation.value, drop(*state_.run.original, evaluation)};
  }
  JudgeOptions judging{.should_stop = state_.callbacks.should_stop,
                       .together = state_.options.together};
  const double error =
      judge({{state_.original}, {module}}, *state_.options.validation_data, judging)
          .at(1)
          .agreement.relative_error;
  return {error, error};
}

std::vector<Schedule> ConversionTraining::plan_ramps() {
  if (state_.run.site_order.empty()) {  // a first seed may have found one
    state_.run.site_order = state_.options.site_order;
  }
  if (state_.run.site_order.empty() && state_.options.order != SiteOrder::together) {
    state_.run.site_order = state_.remembered<std::vector<std::string>>("order", [this] {
      state_.message("ordering the sites: " + to_string(state_.options.order));
      const auto& data = state_.options.validation_data ? state_.options.validation_data
                                                        : state_.options.train_data;
      return order_sites(state_.options.order, state_.model, state_.run.plan, state_.probe_inputs,
                         data.get(), state_.callbacks.should_stop);
    });
  }
  if (state_.run.site_order.empty()) {
    return {state_.schedule};
  }
  auto expected = order_sites(SiteOrder::together, state_.model, state_.run.plan, {}, nullptr);
  auto given = state_.run.site_order;
  std::sort(expected.begin(), expected.end());
  std::sort(given.begin(), given.end());
  if (given != expected) {
    throw UsageError("Expected an order of all " + std::to_string(expected.size()) +
                     " sites that are swapped, each once, but got " + std::to_string(given.size()) +
                     " that are not those");
  }
  state_.run.schedule +=
      ", site after site (" +
      (state_.options.site_order.empty() ? to_string(state_.options.order) : "as listed") + ")";
  return one_after_another(state_.schedule, state_.run.site_order.size());
}

// A model needs its time at t = 1 (docs/recovery.md).
void ConversionTraining::warn_of_a_long_ramp() const {
  const auto batches =
      static_cast<double>(state_.run.train.batches_per_epoch(state_.options.train_data->size()));
  const double end = state_.schedule.in_epochs(batches).options().end;
  if (end > 0.5 * state_.run.train.epochs && state_.schedule.options().hold == 0.0) {
    state_.message("warning: t reaches 1 after " + number(100.0 * end / state_.run.train.epochs) +
                   " % of the training; at least half of it at t = 1 is advised");
  }
}

RememberTrial ConversionTraining::remember_trials() {
  return [this](const std::string& trial, const std::function<double()>& compute) {
    return noted<double>(state_.progress.checkpoints, state_.phase(kTrials) + "/" + trial, compute);
  };
}

void ConversionTraining::sweep_rates_from(const std::vector<Schedule>& ramps) {
  const auto move = [this](const std::vector<double>& blends) { move_to(blends); };
  state_.begin_phase("rate");
  note(state_.remembered<RateSweep>("rate", [&] {
    state_.message("learning rate: short training runs with each");
    return sweep_rates(state_.swap.module(), teacher_for(state_.run.train.loss),
                       *state_.options.train_data, ramps, move, state_.run.train,
                       state_.callbacks.should_stop, remember_trials());
  }));
  state_.progress.checkpoints.forget(state_.phase(kTrials));
}

void ConversionTraining::search_rate_on(const HeldOut& data) {
  state_.begin_phase("rate");
  note(state_.remembered<RateSweep>("rate", [&] {
    state_.message("learning rate: a line search, in shares of each parameter's size");
    return search_rate(
        state_.swap.module(), teacher_for(state_.run.train.loss), data,
        [this](double t) { move_to({t}); }, state_.run.train, state_.callbacks.should_stop,
        remember_trials());
  }));
  state_.progress.checkpoints.forget(state_.phase(kTrials));
}

void ConversionTraining::note(const RateSweep& rates) {
  state_.message("loss on " + std::to_string(rates.held_out) +
                 " training examples held out, after " + std::to_string(rates.steps) +
                 " steps (before: " + number(rates.start_loss) + "):");
  for (const auto& trial : rates.trials) {
    state_.message("  rate " + number(trial.rate) + ": " + number(trial.loss));
  }
  state_.message("chosen: " + number(rates.chosen) + ", after " +
                 std::to_string(rates.steps * static_cast<std::int64_t>(rates.trials.size())) +
                 " steps, " + number(std::round(rates.seconds)) + " s");
  state_.run.rate_sweep = rates;
  state_.run.train.learning_rate = rates.chosen;
}

void ConversionTraining::check_layers() {
  const auto& loss = state_.run.train.loss;
  if (!loss.has(Signal::layers)) {
    return;
  }
  const LayerComparison comparison(state_.swap.module(), *teacher_for(loss));
  if (comparison.is_empty() && loss.terms.size() == 1) {
    throw UsageError(
        "Expected for the loss layers a layer that the swap reaches, in no branch and no loop, but "
        "the model has none; outputs compares what the model gives");
  }
}

void ConversionTraining::train_retargeted() {
  warn_of_a_long_ramp();
  const auto ramps = plan_ramps();
  state_.message("training: " + state_.run.schedule + ", loss " +
                 to_string(state_.options.train.loss));
  if (state_.options.train.loss.has(Signal::sites)) {
    state_.swap.observe_blends();
  }
  move_to(std::vector<double>(ramps.size(), state_.schedule.at(0.0)));
  if (state_.options.learning_rate.kind == LearningRate::Kind::swept && !state_.run.rate_sweep) {
    sweep_rates_from(ramps);
  }
  if (state_.options.held_out > 0) {
    train_with_held_out(ramps);
  } else {
    train_on_all(ramps);
  }
}

// Of a run that is resumed behind it.
bool ConversionTraining::take_up_finished() {
  const auto known = state_.progress.checkpoints.finished(state_.phase("training"));
  if (known) {
    FieldReader fields(*known);
    fields("epochs", state_.run.epochs);
    fields("effect", state_.run.training_effect);
    restore_module(state_.swap.module(), known->part("module"));
  }
  return known.has_value();
}

void ConversionTraining::finish_training() {
  State state;
  FieldWriter fields(state);
  fields("epochs", state_.run.epochs);
  fields("effect", state_.run.training_effect);
  fields("module", state_of_module(state_.swap.module()));
  state_.progress.checkpoints.forget(state_.phase("calibrated module"));
  state_.progress.checkpoints.forget(state_.phase("pruned module"));
  state_.progress.checkpoints.finish(state_.phase("training"), state);
}

void ConversionTraining::train_on_all(const std::vector<Schedule>& ramps) {
  if (take_up_finished()) {
    return;
  }
  state_.begin_phase("retarget");
  std::optional<TrainingSafeguard> safeguard;
  if (state_.run.calibration && !state_.calibrated_ramp) {
    safeguard.emplace(state_.swap.module(), teacher_for(state_.run.train.loss),
                      *state_.options.train_data, state_.run.train);
  }
  train(
      state_.swap.module(), teacher_for(state_.run.train.loss), *state_.options.train_data, ramps,
      [this](const std::vector<double>& blends) { move_to(blends); }, state_.run.train,
      callbacks_of_retargeted(check_of(state_.swap.module())));
  if (safeguard) {
    note(safeguard->undo_harm());
  }
  finish_training();
}

// What was found by itself does no harm: where a rate that the search found diverges in the end,
// the model is what it was. A rate that the user asked for fails.
void ConversionTraining::train_with_held_out(const std::vector<Schedule>& ramps) {
  auto& module = state_.swap.module();
  const auto& loss = state_.run.train.loss;
  const HeldOut data(*state_.options.train_data, state_.options.held_out,
                     state_.options.train.seed);
  const bool is_searched = state_.options.learning_rate.kind == LearningRate::Kind::searched;
  if (is_searched && !state_.run.rate_sweep) {
    search_rate_on(data);
  }
  if (take_up_finished()) {
    return;
  }
  state_.begin_phase("retarget");
  BatchLoss judge(module, teacher_for(loss), state_.run.train);
  const auto check_held_out = [&] {
    const double found = judge.mean(data.judged);
    return Check{found, found};
  };
  const auto check = state_.options.checks_held_out ? check_held_out : check_of(module);
  TrainingSafeguard safeguard(module, teacher_for(loss), data.judged, state_.run.train);
  try {
    train(
        module, teacher_for(loss), data.learnt, ramps,
        [this](const std::vector<double>& blends) { move_to(blends); }, state_.run.train,
        callbacks_of_retargeted(check));
    note(safeguard.keep_best_part());
  } catch (const Diverged& how) {
    if (!is_searched) {
      throw;
    }
    note(safeguard.undo(how));
  }
  finish_training();
}

void ConversionTraining::note(const TrainingEffect& effect) {
  state_.run.training_effect = effect;
  if (!effect.diverged.empty()) {
    state_.message("the training is taken back: " + effect.diverged);
  } else if (effect.is_taken_back()) {
    state_.message("the training is taken back: it made the loss on " +
                   std::to_string(effect.examples) + " training examples worse, from " +
                   number(effect.before) + " to " + number(effect.after) +
                   "; a lower --lr, --lr auto or more epochs may do better");
  } else if (effect.kept_share < 1.0) {
    state_.message("the loss on " + std::to_string(effect.examples) + " training examples was " +
                   number(effect.before) + " before the training and " + number(effect.after) +
                   " after it; with " + number(100.0 * effect.kept_share) +
                   " % of the change in the weights it is " + number(effect.kept_loss) +
                   ", so that much is kept");
  }
}

// Where the loss looks inside: the original with blends that stay at 0 and report.
torch::jit::Module ConversionTraining::original_for(const Loss& loss, Tensors tensors) const {
  if (!loss.has(Signal::sites) && !loss.has(Signal::layers)) {
    return tensors == Tensors::copied ? reload(state_.model.module)
                                      : recompile(state_.model.module);
  }
  Retargeter blended(state_.model, state_.run.plan, tensors, BlendCode::stock,
                     state_.options.keeps_activations);
  if (loss.has(Signal::sites)) {
    blended.observe_blends();
  }
  return blended.module();
}

std::optional<torch::jit::Module> ConversionTraining::teacher_for(const Loss& loss) const {
  return loss.needs_original() ? std::optional(original_for(loss, Tensors::shared)) : std::nullopt;
}

std::optional<torch::jit::Module> ConversionTraining::train_control() {
  state_.begin_phase("control");
  state_.message("training the control: the original with the same budget, data and seed");
  auto options = state_.run.train;
  options.bound = {};                                   // there is nothing to wait for
  options.keeps_statistics = false;                     // as the original was trained
  options.loss = options.loss.without(Signal::layers);  // for that it would have to keep them
  if (state_.options.checks_held_out) {  // by what the original gives, as which the control begins
    options.keep = Keep::last;
    options.check_every = 0.0;
  }
  auto control = original_for(options.loss, Tensors::copied);
  auto& checkpoints = state_.progress.checkpoints;
  if (const auto known = checkpoints.finished(state_.phase("controlled"))) {
    FieldReader fields(*known);
    fields("epochs", state_.run.control_epochs);
    fields("diverged", state_.run.control_diverged);
    restore_module(control, known->part("module"));
    return state_.run.control_diverged.empty() ? std::optional(control) : std::nullopt;
  }
  try {
    train(
        control, teacher_for(options.loss), *state_.options.train_data, state_.options.schedule,
        [](double) {}, options,
        callbacks_of("control", state_.run.control_epochs, check_of(control)));
  } catch (const Diverged& how) {
    state_.run.control_diverged = how.what();
    state_.message("the control, which is not what is exported, diverged: " +
                   state_.run.control_diverged);
  }
  State state;
  FieldWriter fields(state);
  fields("epochs", state_.run.control_epochs);
  fields("diverged", state_.run.control_diverged);
  fields("module", state_of_module(control));
  checkpoints.finish(state_.phase("controlled"), state);
  return state_.run.control_diverged.empty() ? std::optional(control) : std::nullopt;
}

}  // namespace actswap
