#include <actswap/measure/judge.h>
#include <actswap/pipeline/conversion_calibration.h>
#include <actswap/pipeline/conversion_pruning.h>
#include <actswap/pipeline/pruning_fields.h>
#include <actswap/prune/prune_steps.h>

#include <optional>
#include <utility>

namespace actswap {

namespace {

// On the validation data, or what else agreement is measured on; none: there is no such data.
std::optional<Judgement> judged(const ConversionState& state) {
  const auto& data =
      state.options.validation_data ? state.options.validation_data : state.options.agreement_data;
  if (!data) {
    return std::nullopt;
  }
  JudgeOptions options{.should_stop = state.callbacks.should_stop};
  if (!state.options.validation_data) {
    options.batch_size = state.options.calibration.batch_size;
  }
  return judge({{state.original}, {state.swap.module()}}, *data, options)[1];
}

// Two phases: units are cut out, and what remains is fitted. A run that is resumed behind the first
// cuts the same units again.
class ConversionPruning {
 public:
  explicit ConversionPruning(ConversionState& state)
      : state_(state),
        checkpoints_(state.progress.checkpoints),
        data_(*state.options.calibration_data),
        options_(*state.options.prune),
        seed_(state.options.train.seed),
        cut_(state.phase("cut")),
        refit_(state.phase("refit")),
        module_(state.phase("pruned module")),
        pruning_(state.phase("pruning")) {
    options_.latency_inputs = state.probe_inputs;
  }

  PruneRecord run() {
    if (const auto known = checkpoints_.finished(pruning_)) {
      take_up(*known);
      if (const auto module = checkpoints_.finished(module_)) {
        restore_module(state_.swap.module(), *module);
      }
      return std::move(record_);
    }
    if (const auto known = checkpoints_.finished(cut_)) {
      take_up(known->part("record"));
      restore_module(state_.swap.module(), known->part("module"));
    } else {
      remove();
    }
    fit();
    return std::move(record_);
  }

 private:
  void take_up(const State& record) {
    restore(record_, record);
    remove_again(state_.swap, record_.pruning.kept, data_, options_, seed_);
  }

  void remove() {
    state_.begin_phase("prune");
    state_.message("pruning " + to_string(options_.budget));
    record_.swapped = judged(state_);
    record_.pruning =
        remove_units(state_.swap, data_, options_, seed_,
                     {.on_message = [&](const std::string& text) { state_.message(text); },
                      .on_layer = state_.callbacks.on_surveyed_layer,
                      .refit = {.should_stop = state_.callbacks.should_stop}});
    State cut;
    FieldWriter fields(cut);
    fields("record", record_);
    fields("module", state_of_module(state_.swap.module()));
    checkpoints_.finish(cut_, cut);
  }

  void fit() {
    state_.begin_phase("refit");
    const auto unfinished = checkpoints_.unfinished(refit_);
    if (!unfinished.is_empty()) {
      FieldReader{unfinished}("pruned", record_.pruned);
    }
    CalibrationCallbacks callbacks = {
        .should_stop = state_.callbacks.should_stop,
        .on_site = state_.callbacks.on_calibrated_site,
        .on_solved =
            [&] {
              if (!record_.pruned) {
                record_.pruned = judged(state_);
              }
            },
        .on_pass = state_.callbacks.on_calibration_pass,
        .saves_now = [&] { return checkpoints_.is_due(SavePoint::step); },
        .save = [&](const State& state) { save(state); },
        .resume = unfinished.part("calibration")};
    announce_joint_fit(state_, callbacks);
    record_.pruning.refit =
        refit_units(state_.swap, record_.pruning.kept, data_, options_, seed_, callbacks);
    record_.refitted = judged(state_);
    state_.message("fitted what remains: " + summary(record_.pruning.refit));
    for (const auto& reason : record_.pruning.refit.left_out) {
      state_.message("not fitted: " + reason);
    }
    checkpoints_.forget(cut_);
    checkpoints_.forget(state_.phase("calibrated module"));
    checkpoints_.finish(
        {{module_, state_of_module(state_.swap.module())}, {pruning_, state_of(record_)}});
  }

  void save(const State& calibration) {
    State state;
    FieldWriter fields(state);
    fields("calibration", calibration);
    fields("pruned", record_.pruned);
    checkpoints_.save(refit_, state);
  }

  ConversionState& state_;
  RunCheckpoints& checkpoints_;
  const Dataset& data_;
  PruneOptions options_;
  std::uint64_t seed_;
  std::string cut_;
  std::string refit_;
  std::string module_;
  std::string pruning_;
  PruneRecord record_;
};

}  // namespace

void prune_retargeted(ConversionState& state) {
  const auto full = state.swap.module();
  auto record = ConversionPruning(state).run();
  if (state.calibrated_ramp) {
    state.fading.emplace(fade_units(state.swap, full, record.pruning.kept,
                                    *state.options.calibration_data, *state.options.prune,
                                    state.options.train.seed));
  } else {
    state.run.train.kept = record.pruning.kept;
  }
  state.run.pruning = std::move(record);
  state.record();
}

}  // namespace actswap
