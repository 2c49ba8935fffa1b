#include <actswap/base/files.h>
#include <actswap/pipeline/conversion_state.h>
#include <actswap/train/module_tensors.h>

#include <unistd.h>

namespace actswap {

// How many passes fit all layers together depends on the time, so that number is repeated.
std::string repeated_configuration(const ConvertOptions& options, const Run& run) {
  if (options.configuration.empty()) {
    return "";
  }
  const bool by_time = run.calibration && !options.calibration.passes &&
                       !options.calibration.minutes && run.calibration->joint.planned > 0;
  return options.configuration + (by_time
                                      ? "# as many as there was time for\ncalibrate-passes = " +
                                            std::to_string(run.calibration->joint.planned) + "\n"
                                      : "");
}

Run begun_run(const Model& model, const Plan& plan, const ConvertOptions& options) {
  Run run;
  run.state.begun = time_stamp();
  run.state.process = ::getpid();
  run.state.host = host_name();
  run.invocation = options.invocation;
  run.model_path = model.path;
  run.model_sha256 = model.sha256();
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
  run.schedule = in_words(options.schedule);
  return run;
}

void write_record(Run& run, double seconds) {
  run.seconds = seconds;
  run.state.updated = time_stamp();
  if (run.run_directory.empty()) {
    return;
  }
  make_folder(run.run_directory);
  write_text_atomically(run.run_directory + "/run.json", to_json(run) + "\n");
}

ConversionState::ConversionState(const Model& the_model, const Plan& plan,
                                 const ConvertOptions& the_options,
                                 const ConvertCallbacks& the_callbacks, RunProgress the_progress,
                                 Run& the_run)
    : options(the_options),
      callbacks(the_callbacks),
      model(the_model),
      progress(the_progress),
      schedule(options.schedule),
      is_measurable(options.is_measurable()),
      swap(model, plan,
           options.train_data || options.calibration_data ? Tensors::copied : Tensors::shared,
           options.blend_code, options.keeps_activations),
      run(the_run) {
  run.plan = plan;
}

void ConversionState::message(const std::string& text) const {
  progress.log.message(text);
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
  return evaluate(module, *options.validation_data, kBatchSize, callbacks.should_stop,
                  options.together);
}

void ConversionState::record() {
  write_record(run, progress.checkpoints.seconds());
  if (!run.run_directory.empty() && !options.configuration.empty()) {
    write_text_atomically(run.run_directory + "/config.toml", repeated_configuration(options, run));
  }
}

std::string ConversionState::phase(const std::string& name) const {
  return "seed " + std::to_string(options.train.seed) + "/" + name;
}

void ConversionState::begin_phase(const std::string& name) const {
  progress.log.phase(name, options.seeds > 1 ? std::optional(options.train.seed) : std::nullopt);
}

State state_of_module(const torch::jit::Module& module) {
  const ModuleTensors tensors(module);
  State state;
  FieldWriter fields(state);
  fields("tensors", tensors.now());
  fields("numbers", tensors.numbers());
  return state;
}

void restore_module(torch::jit::Module& module, const State& state) {
  const ModuleTensors tensors(module);
  std::vector<torch::Tensor> values;
  std::vector<c10::IValue> numbers;
  FieldReader fields(state);
  fields("tensors", values);
  fields("numbers", numbers);
  tensors.write(values);
  tensors.write_numbers(numbers);
}

}  // namespace actswap
