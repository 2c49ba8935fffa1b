#include <actswap/base/counted.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/pipeline/conversion_calibration.h>
#include <actswap/pipeline/conversion_fields.h>

#include <algorithm>
#include <string>

namespace actswap {

namespace {

constexpr double kLongTrials = 5.0;  // seconds; what is shorter needs no announcement

// Of a run that is resumed behind it: what it gave, and where the training is to come the module.
bool take_up_calibration(ConversionState& state) {
  const auto& checkpoints = state.progress.checkpoints;
  const auto known = checkpoints.finished(state.phase("calibration"));
  if (!known) {
    return false;
  }
  restore(state.run.calibration.emplace(), *known);
  if (const auto module = checkpoints.finished(state.phase("calibrated module"))) {
    restore_module(state.swap.module(), *module);
  }
  return true;
}

void run_calibration(ConversionState& state) {
  const auto& data = *state.options.calibration_data;
  state.begin_phase("calibrate");
  state.message("calibrating on " +
                counted(std::min(state.options.calibration.inputs, data.size()), "input"));
  auto& checkpoints = state.progress.checkpoints;
  const auto key = state.phase("calibrate");
  CalibrationCallbacks callbacks = {
      .should_stop = state.callbacks.should_stop,
      .on_site =
          [&state](std::size_t done, std::size_t count) {
            state.progress.log.count("sites", done, count);
            if (state.callbacks.on_calibrated_site) {
              state.callbacks.on_calibrated_site(done, count);
            }
          },
      .on_pass =
          [&state](std::size_t done, std::size_t count) {
            state.progress.log.count("passes", done, count);
            if (state.callbacks.on_calibration_pass) {
              state.callbacks.on_calibration_pass(done, count);
            }
          },
      .saves_now = [&checkpoints] { return checkpoints.is_due(SavePoint::step); },
      .save = [&checkpoints, key](const State& unfinished) { checkpoints.save(key, unfinished); },
      .resume = checkpoints.unfinished(key)};
  announce_joint_fit(state, callbacks);
  state.run.calibration =
      calibrate(state.swap, data, state.options.calibration, state.options.train.seed, callbacks);
  state.message("calibrated: " + summary(*state.run.calibration));
  for (const auto& reason : state.run.calibration->left_out) {
    state.message("not calibrated: " + reason);
  }
  checkpoints.finish({{state.phase("calibrated module"), state_of_module(state.swap.module())},
                      {state.phase("calibration"), state_of(*state.run.calibration)}});
}

}  // namespace

void announce_joint_fit(const ConversionState& state, CalibrationCallbacks& callbacks) {
  callbacks.on_trials = [&state](double seconds) {
    if (seconds >= kLongTrials) {
      state.message(time_of_trials(seconds));
    }
  };
  callbacks.on_joint_fit = [&state](std::int64_t passes, double seconds) {
    state.message(time_of_passes(passes, seconds));
  };
}

void calibrate_retargeted(ConversionState& state) {
  if (!take_up_calibration(state)) {
    run_calibration(state);
  }
}

}  // namespace actswap
