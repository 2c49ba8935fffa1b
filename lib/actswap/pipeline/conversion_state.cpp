#include <actswap/base/error.h>
#include <actswap/base/files.h>
#include <actswap/pipeline/conversion_state.h>
#include <actswap/report/event_file.h>
#include <actswap/report/html_report.h>

#include <filesystem>

namespace actswap {

namespace {

// How many passes fit all layers together depends on the time, so that number is repeated.
std::string repeated_configuration(const ConvertOptions& options, const Run& run) {
  const bool by_time = run.calibration && !options.calibration.passes &&
                       !options.calibration.minutes && run.calibration->joint.planned > 0;
  return options.configuration + (by_time
                                      ? "# as many as there was time for\ncalibrate-passes = " +
                                            std::to_string(run.calibration->joint.planned) + "\n"
                                      : "");
}

}  // namespace

ConversionState::ConversionState(const Model& the_model, const Plan& plan,
                                 const ConvertOptions& the_options,
                                 const ConvertCallbacks& the_callbacks)
    : options(the_options),
      callbacks(the_callbacks),
      model(the_model),
      schedule(options.schedule),
      is_measurable(options.is_measurable()),
      swap(model, plan,
           options.train_data || options.calibration_data ? Tensors::copied : Tensors::shared,
           options.blend_code, options.keeps_activations) {
  run.model_path = model.path;
  run.output = options.output;
  run.run_directory = options.run_directory;
  run.recipe = describe(options);
  run.learning_rate = options.learning_rate;
  run.options = {.calibration = options.calibration,
                 .blend_code = options.blend_code,
                 .control = options.control,
                 .seeds = options.seeds,
                 .max_drop = options.max_drop,
                 .held_out = options.held_out,
                 .plan_by_sensitivity = options.plan_by_sensitivity,
                 .budget_ms = options.budget_ms,
                 .min_agreement = options.min_agreement};
  run.plan = plan;
  run.parameters = parameter_count(model.module);
  run.trained = options.train_data != nullptr;
  run.train = options.train;
  run.schedule = in_words(schedule);
}

void ConversionState::message(const std::string& text) const {
  if (callbacks.on_message) {
    callbacks.on_message(text);
  }
}

void ConversionState::check_interruption() const {
  if (callbacks.should_stop && callbacks.should_stop()) {
    throw Interrupted("The conversion was stopped");
  }
}

Evaluation ConversionState::measure(torch::jit::Module& module) const {
  constexpr std::int64_t kBatchSize = 256;
  return evaluate(module, *options.validation_data, kBatchSize, callbacks.should_stop);
}

void ConversionState::record() {
  run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  run.model_sha256 = model.sha256();
  if (run.run_directory.empty()) {
    return;
  }
  make_folder(run.run_directory);
  write_text_atomically(run.run_directory + "/run.json", to_json(run) + "\n");
  if (!options.configuration.empty()) {
    write_text_atomically(run.run_directory + "/config.toml", repeated_configuration(options, run));
  }
}

void ConversionState::record_end() {
  record();
  if (!run.run_directory.empty()) {
    write_event_file(run.run_directory);
    write_report(run.run_directory);
  }
}

}  // namespace actswap
