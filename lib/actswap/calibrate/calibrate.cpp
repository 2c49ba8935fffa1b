#include <actswap/base/clock.h>
#include <actswap/base/error.h>
#include <actswap/base/out_of_memory.h>
#include <actswap/calibrate/batch_memory.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/calibration_inputs.h>
#include <actswap/calibrate/calibrator.h>
#include <actswap/calibrate/memory_shares.h>
#include <actswap/data/sample.h>
#include <actswap/graph/blend.h>
#include <actswap/graph/eval_mode.h>
#include <actswap/graph/retarget.h>

#include <torch/script.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace actswap {

namespace jit = torch::jit;

namespace {

using Clock = std::chrono::steady_clock;

Calibration calibrate_on(jit::Module& blended, const Original* original, const Batches& batches,
                         const InputStream* stream, const CalibrationOptions& options,
                         const CalibrationCallbacks& callbacks) {
  if (batches.empty()) {
    throw UsageError("Expected inputs to calibrate with, but there are none");
  }
  for (const auto& batch : batches) {
    if (batch.empty() || batch.front().dim() == 0 || batch.front().size(0) == 0) {
      throw UsageError(
          "Expected batches of at least one example to calibrate with, N x ..., but one is empty");
    }
  }
  const EvalMode eval(blended);
  const auto begin = Clock::now();
  try {
    auto result = run_calibration(blended, original, batches, stream, options, callbacks);
    for_each_blend(blended, [](jit::Module& blend) { blend.setattr("t", 1.0); });
    result.seconds = seconds_since(begin);
    return result;
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) {
      throw FileError("The calibration ran out of memory" + allocation_in(error) +
                      "; fewer inputs (--calibrate-inputs) or a smaller batch size "
                      "(--calibrate-batch) need less");
    }
    throw;
  }
}

}  // namespace

Calibration calibrate(jit::Module& blended, const Batches& batches,
                      const CalibrationOptions& options, const CalibrationCallbacks& callbacks) {
  options.validate();
  return calibrate_on(blended, nullptr, cut_to_memory(blended, batches, options), nullptr, options,
                      callbacks);
}

Calibration calibrate(Retargeter& swap, const Dataset& data, const CalibrationOptions& options,
                      std::uint64_t seed, const CalibrationCallbacks& callbacks) {
  options.validate();
  swap.set_blend(0.0);
  const auto inputs = calibration_inputs(swap.module(), data, options, seed);
  return calibrate_on(swap.module(), nullptr, inputs.batches,
                      inputs.stream ? &*inputs.stream : nullptr, options, callbacks);
}

Calibration refit(jit::Module& pruned, const jit::Module& original, const KeptEntries& kept,
                  const CalibrationInputs& inputs, const CalibrationOptions& options,
                  const CalibrationCallbacks& callbacks) {
  auto reference_module = original;
  const EvalMode eval(reference_module);
  const Original reference = {.module = reference_module, .kept = kept};
  return calibrate_on(pruned, &reference, inputs.batches, inputs.stream ? &*inputs.stream : nullptr,
                      options, callbacks);
}

}  // namespace actswap
