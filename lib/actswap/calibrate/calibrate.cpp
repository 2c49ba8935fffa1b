#include <actswap/base/error.h>
#include <actswap/base/out_of_memory.h>
#include <actswap/calibrate/batch_memory.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/calibrator.h>
#include <actswap/calibrate/joint_error.h>
#include <actswap/calibrate/memory_shares.h>
#include <actswap/data/sample.h>
#include <actswap/graph/blend.h>
#include <actswap/graph/eval_mode.h>
#include <actswap/graph/retarget.h>

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace actswap {

namespace jit = torch::jit;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

Calibration calibrate_on(jit::Module& blended, const Batches& batches, const InputStream* stream,
                         const CalibrationOptions& options, const CalibrationCallbacks& callbacks) {
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
    auto result = run_calibration(blended, batches, stream, options, callbacks);
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

Batches cut_to_memory(const jit::Module& blended, const Batches& batches,
                      const CalibrationOptions& options) {
  return cut_to_fit(blended, batches, share_out(options.memory, bytes_of(batches)).batch);
}

// The batches that are fitted to, and on from there all of the data but what is held out.
InputStream inputs_of_passes(const Dataset& data, const CalibrationOptions& options,
                             const Batches& batches, std::uint64_t seed) {
  auto order = shuffled_indices(data.size(), seed, 0);
  std::int64_t fitted = 0;
  for (std::size_t i = 0; i + batches_held_out(batches.size()) < batches.size(); ++i) {
    fitted += batches[i].front().size(0);
  }
  order.erase(order.begin() + fitted, order.begin() + std::min(options.inputs, data.size()));
  const auto largest = std::max_element(batches.begin(), batches.end(), [](auto& a, auto& b) {
    return a.front().size(0) < b.front().size(0);
  });
  return {data, std::move(order), std::min(options.batch_size, largest->front().size(0))};
}

}  // namespace

Calibration calibrate(jit::Module& blended, const Batches& batches,
                      const CalibrationOptions& options, const CalibrationCallbacks& callbacks) {
  options.validate();
  return calibrate_on(blended, cut_to_memory(blended, batches, options), nullptr, options,
                      callbacks);
}

Calibration calibrate(Retargeter& swap, const Dataset& data, const CalibrationOptions& options,
                      std::uint64_t seed, const CalibrationCallbacks& callbacks) {
  options.validate();
  swap.set_blend(0.0);
  const auto whole = sample_inputs(data, options.inputs, options.batch_size, seed);
  const auto batches = cut_to_memory(swap.module(), whole, options);
  std::optional<InputStream> stream;
  if (options.draws_each_pass && data.size() > options.inputs) {
    stream.emplace(inputs_of_passes(data, options, batches, seed));
  }
  return calibrate_on(swap.module(), batches, stream ? &*stream : nullptr, options, callbacks);
}

}  // namespace actswap
