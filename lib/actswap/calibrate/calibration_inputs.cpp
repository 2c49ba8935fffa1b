#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/calibration_inputs.h>
#include <actswap/calibrate/joint_error.h>
#include <actswap/calibrate/memory_shares.h>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace actswap {

namespace {

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

Batches cut_to_memory(const torch::jit::Module& module, const Batches& batches,
                      const CalibrationOptions& options) {
  return cut_to_fit(module, batches, share_out(options.memory, bytes_of(batches)).batch);
}

CalibrationInputs calibration_inputs(const torch::jit::Module& module, const Dataset& data,
                                     const CalibrationOptions& options, std::uint64_t seed) {
  const auto whole = sample_inputs(data, options.inputs, options.batch_size, seed);
  CalibrationInputs inputs = {.batches = cut_to_memory(module, whole, options), .stream = {}};
  if (options.draws_each_pass && data.size() > options.inputs) {
    inputs.stream.emplace(inputs_of_passes(data, options, inputs.batches, seed));
  }
  return inputs;
}

}  // namespace actswap
