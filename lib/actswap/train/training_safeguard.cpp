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
constexpr double kRiseOnLabels = 0.2;

// By as much as it is on labels; a module may look at them.
double harmless_rise(const Loss& loss) {
  double all = 0.0;
  double on_labels = 0.0;
  for (const auto& term : loss.terms) {
    const bool may_be_on_labels =
        term.signal == Signal::module || Loss(std::vector<Term>{term}).needs_target();
    all += term.weight;
    on_labels += may_be_on_labels ? term.weight : 0.0;
  }
  return kRiseOnLabels * on_labels / all;
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
  if (!(effect_.after <= (1.0 + harmless_rise(options_.loss)) * effect_.before)) {
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
