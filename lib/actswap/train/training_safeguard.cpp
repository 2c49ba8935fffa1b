#include <actswap/train/batch_loss.h>
#include <actswap/train/training_safeguard.h>

#include <torch/torch.h>

#include <algorithm>
#include <utility>

namespace actswap {

namespace {

constexpr std::int64_t kExamples = 512;

// A loss on labels that rises by less does not show harm: an original has learnt its training
// examples by heart to some degree, which a training of a few steps undoes a little while the model
// gains on others. What the original gives is the same for all examples, seen or not.
constexpr double kHarmOnLabels = 1.2;

double harm(const Loss& loss) {
  const bool may_be_on_labels = loss.needs_target() || loss.has(Signal::module);
  return may_be_on_labels ? kHarmOnLabels : 1.0;
}

std::vector<std::int64_t> last_of_first_epoch(std::int64_t size, std::uint64_t seed) {
  const auto order = shuffled_indices(size, seed, 0);
  return {order.end() - std::min(size, kExamples), order.end()};
}

}  // namespace

TrainingSafeguard::TrainingSafeguard(torch::jit::Module& module,
                                     std::optional<torch::jit::Module> teacher, const Dataset& data,
                                     const TrainOptions& options)
    : module_(module),
      teacher_(std::move(teacher)),
      options_(options),
      examples_(data, last_of_first_epoch(data.size(), options.seed)),
      tensors_(module),
      weights_(tensors_.copies()) {
  effect_.examples = examples_.size();
  effect_.before = loss();
}

TrainingEffect TrainingSafeguard::undo_harm() {
  effect_.after = loss();
  if (!(effect_.after <= harm(options_.loss) * effect_.before)) {
    tensors_.write(weights_);
    effect_.taken_back = true;
  }
  return effect_;
}

double TrainingSafeguard::loss() {
  const torch::NoGradGuard no_grad;
  return BatchLoss(module_, teacher_, options_).mean(examples_);
}

}  // namespace actswap
