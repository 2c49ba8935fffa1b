#include <actswap/base/error.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/calibration_inputs.h>
#include <actswap/calibrate/joint_error.h>
#include <actswap/calibrate/memory_shares.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

namespace actswap {

namespace {

// The batches that are fitted to, and on from there all of the data but what is held out.
InputStream inputs_of_passes(const Dataset& data, const CalibrationOptions& options,
                             const Batches& batches, std::uint64_t seed) {
  auto order = shuffled_indices(data.size(), seed, 0);
  std::int64_t fitted = 0;
  std::int64_t largest = 0;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const auto examples = options.together.sum(batches[i].front().size(0));
    largest = std::max(largest, examples);
    fitted += i + batches_held_out(batches.size()) < batches.size() ? examples : 0;
  }
  order.erase(order.begin() + fitted, order.begin() + std::min(options.inputs, data.size()));
  return {data, std::move(order), std::min(options.batch_size, largest), options.together.share()};
}

// With memory of its own, so that the rest can go.
std::vector<torch::Tensor> share_of(const std::vector<torch::Tensor>& batch, const Share& share) {
  const auto examples = batch.front().size(0);
  if (examples < share.count) {
    throw UsageError("Expected batches of at least one example for each of the " +
                     std::to_string(share.count) + " processes, but found one of " +
                     std::to_string(examples));
  }
  std::vector<torch::Tensor> own;
  own.reserve(batch.size());
  for (const auto& input : batch) {
    own.push_back(
        input.narrow(0, share.begin(examples), share.end(examples) - share.begin(examples))
            .clone());
  }
  return own;
}

}  // namespace

Batches cut_to_memory(const torch::jit::Module& module, const Batches& batches,
                      const CalibrationOptions& options) {
  auto cut = cut_to_fit(module, batches, share_out(options.memory, bytes_of(batches)).batch);
  if (!options.together.is_alone()) {
    for (auto& batch : cut) {
      batch = share_of(batch, options.together.share());
    }
  }
  return cut;
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
