// What the steps of a conversion share.
#pragma once

#include <actswap/calibrate/calibrated_ramp.h>
#include <actswap/checkpoint/fields.h>
#include <actswap/graph/retarget.h>
#include <actswap/pipeline/convert.h>
#include <actswap/pipeline/convert_options.h>
#include <actswap/pipeline/run_checkpoints.h>
#include <actswap/pipeline/run_log.h>
#include <actswap/pipeline/text.h>
#include <actswap/prune/fading.h>
#include <actswap/ranks/exchange.h>

#include <torch/script.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

/// What all seeds of a conversion write to.
struct RunProgress {
  RunLog& log;
  RunCheckpoints& checkpoints;
};

/// The record of a run that begins.
Run begun_run(const Model& model, const Plan& plan, const ConvertOptions& options);
/// Writes run.json into the run's folder, if it has one. @throws FileError
void write_record(Run& run, double seconds);
/// The text of config.toml; empty: none is written.
std::string repeated_configuration(const ConvertOptions& options, const Run& run);

struct ConversionState {
  /// @param run its record (begun_run)
  ConversionState(const Model& model, const Plan& plan, const ConvertOptions& options,
                  const ConvertCallbacks& callbacks, RunProgress progress, Run& run);

  void message(const std::string& text) const;
  /// @throws Interrupted
  void check_interruption() const;
  /// The metric on the validation data.
  Evaluation measure(torch::jit::Module& module) const;
  /// Writes what is known, as the run goes on, so that it outlives an interruption.
  /// @throws FileError
  void record();
  /// The phases of several seeds have names of their own in the checkpoints.
  std::string phase(const std::string& name) const;
  /// A phase begins.
  void begin_phase(const std::string& name) const;
  /// What a phase gives: of a run that is resumed behind it, what it gave. Of ranks that of rank 0:
  /// what follows from it has to be the same on all.
  template <typename T>
  T remembered(const std::string& name, const std::function<T()>& compute) const {
    T value{};
    if (const auto known = progress.checkpoints.finished(phase(name))) {
      FieldReader{*known}("value", value);
      return value;
    }
    value = record_of_first(options.together, compute());
    State state;
    FieldWriter{state}("value", value);
    progress.checkpoints.finish(phase(name), state);
    return value;
  }

  const ConvertOptions& options;
  const ConvertCallbacks& callbacks;
  const Model& model;
  RunProgress progress;
  const Schedule schedule;
  const bool is_measurable;
  Retargeter swap;
  std::optional<CalibratedRamp> calibrated_ramp;  ///< where t rises after a calibration
  std::optional<FadingUnits> fading;              ///< where units go while t rises
  torch::jit::Module original;
  std::vector<torch::Tensor> probe_inputs;
  Run& run;
};

/// All tensors, numbers, bools and texts of a module, to be restored in the same module.
State state_of_module(const torch::jit::Module& module);
void restore_module(torch::jit::Module& module, const State& state);

}  // namespace actswap
