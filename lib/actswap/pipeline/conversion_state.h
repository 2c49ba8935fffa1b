// What the steps of a conversion share.
#pragma once

#include <actswap/calibrate/calibrated_ramp.h>
#include <actswap/graph/retarget.h>
#include <actswap/pipeline/convert.h>
#include <actswap/pipeline/convert_options.h>
#include <actswap/pipeline/text.h>

#include <torch/script.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

struct ConversionState {
  ConversionState(const Model& model, const Plan& plan, const ConvertOptions& options,
                  const ConvertCallbacks& callbacks);

  void message(const std::string& text) const;
  /// @throws Interrupted
  void check_interruption() const;
  /// The metric on the validation data.
  Evaluation measure(torch::jit::Module& module) const;
  /// Writes what is known, as the run goes on, so that it outlives an interruption.
  /// @throws FileError
  void record();
  /// The same at the end of the run, whatever it is, with report.html and the events for
  /// TensorBoard.
  /// @throws FileError
  void record_end();

  const ConvertOptions& options;
  const ConvertCallbacks& callbacks;
  const Model& model;
  const Schedule schedule;
  const bool is_measurable;
  Retargeter swap;
  std::optional<CalibratedRamp> calibrated_ramp;  ///< where t rises after a calibration
  torch::jit::Module original;
  std::vector<torch::Tensor> probe_inputs;
  Run run;

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace actswap
