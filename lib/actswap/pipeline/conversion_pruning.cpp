#include <actswap/measure/judge.h>
#include <actswap/pipeline/conversion_pruning.h>
#include <actswap/prune/prune.h>

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

}  // namespace

void prune_retargeted(ConversionState& state) {
  auto options = *state.options.prune;
  options.latency_inputs = state.probe_inputs;
  state.message("pruning " + to_string(options.budget));
  PruneRecord record;
  record.swapped = judged(state);
  const PruneCallbacks callbacks = {
      .on_message = [&](const std::string& text) { state.message(text); },
      .on_layer = state.callbacks.on_surveyed_layer,
      .refit = {
          .should_stop = state.callbacks.should_stop,
          .on_site = state.callbacks.on_calibrated_site,
          .on_solved = [&] { record.pruned = judged(state); },
          .on_joint_fit = [&](std::int64_t passes,
                              double seconds) { state.message(time_of_passes(passes, seconds)); },
          .on_pass = state.callbacks.on_calibration_pass}};
  record.pruning = prune(state.swap, *state.options.calibration_data, options,
                         state.options.train.seed, callbacks);
  record.refitted = judged(state);
  state.message("fitted what remains: " + summary(record.pruning.refit));
  state.run.train.kept = record.pruning.kept;
  state.run.pruning = std::move(record);
  state.record();
}

}  // namespace actswap
