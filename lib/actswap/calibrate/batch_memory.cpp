#include <actswap/calibrate/batch_memory.h>
#include <actswap/calibrate/gradient_memory.h>
#include <actswap/data/even_batches.h>
#include <actswap/run/allocations.h>
#include <actswap/run/model_run.h>

#include <algorithm>

namespace actswap {

namespace {

// Few, and yet a batch to a model that squeezes its values.
constexpr std::int64_t kProbe = 2;

std::vector<torch::Tensor> part_of(const std::vector<torch::Tensor>& batch, std::int64_t begin,
                                   std::int64_t count) {
  std::vector<torch::Tensor> part;
  part.reserve(batch.size());
  for (const auto& input : batch) {
    part.push_back(input.narrow(0, begin, count));
  }
  return part;
}

// How many examples a run within this many bytes may have; 0 if unknown.
std::int64_t examples_that_fit(const torch::jit::Module& module,
                               const std::vector<torch::Tensor>& batch, std::int64_t bytes) {
  ModelRun run(module, {.optimizes_graphs = false});
  const auto taken_by = [&](std::int64_t examples) -> GradientMemory {
    const auto probe = part_of(batch, 0, examples);
    const auto most = allocated([&] { run(probe); }).most;
    return {.forward = most, .all = most};
  };
  return fitting_into(bytes, taken_by, kProbe, /*least=*/kProbe, /*unless_known=*/0).count;
}

// Whether all inputs have equally many, and enough to try.
bool has_examples(const std::vector<torch::Tensor>& batch) {
  if (batch.empty() || batch.front().dim() == 0) {
    return false;
  }
  const auto size = batch.front().size(0);
  return size >= 2 * kProbe && std::all_of(batch.begin(), batch.end(), [size](const auto& input) {
           return input.dim() > 0 && input.size(0) == size;
         });
}

}  // namespace

std::int64_t bytes_of(const std::vector<torch::Tensor>& tensors) {
  std::int64_t sum = 0;
  for (const auto& tensor : tensors) {
    sum += static_cast<std::int64_t>(tensor.nbytes());
  }
  return sum;
}

std::int64_t bytes_of(const Batches& batches) {
  std::int64_t sum = 0;
  for (const auto& batch : batches) {
    sum += bytes_of(batch);
  }
  return sum;
}

Batches cut_to_fit(const torch::jit::Module& module, const Batches& batches, std::int64_t bytes) {
  if (batches.empty() || !std::all_of(batches.begin(), batches.end(), has_examples)) {
    return batches;
  }
  const auto most = examples_that_fit(module, batches.front(), bytes);
  if (most == 0) {
    return batches;
  }
  Batches cut;
  for (const auto& batch : batches) {
    const EvenBatches parts(batch.front().size(0), most);
    for (std::int64_t i = 0; i < parts.count(); ++i) {
      cut.push_back(part_of(batch, parts.begin(i), parts.begin(i + 1) - parts.begin(i)));
    }
  }
  return cut;
}

}  // namespace actswap
