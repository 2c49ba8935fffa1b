#include <actswap/ranks/together.h>
#include <actswap/train/batch_loss.h>
#include <actswap/train/training_safeguard.h>

#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace actswap {

namespace {

constexpr std::int64_t kExamples = 512;

// A loss on labels that rises by less does not show harm: an original has learnt its training
// examples by heart to some degree, which a training of a few steps undoes a little while the model
// gains on others. What the original gives is the same for all examples, seen or not.
constexpr double kHarmlessRise = 0.2;

// Of the way that a training went, in the order in which they are tried.
constexpr double kShares[] = {0.75, 0.5, 0.25, 0.125};

// A module may look at them.
std::vector<Term> on_labels(const Loss& loss) {
  auto terms = loss.terms;
  std::erase_if(terms, [](const Term& term) {
    return term.signal != Signal::module && !Loss(std::vector<Term>{term}).needs_target();
  });
  return terms;
}

std::vector<std::int64_t> last_of_first_epoch(std::int64_t size, std::uint64_t seed) {
  const auto order = shuffled_indices(size, seed, 0);
  return {order.end() - std::min(size, kExamples), order.end()};
}

// Counters, and tensors that a forward replaced by others, are those of the end.
std::vector<torch::Tensor> between(const std::vector<torch::Tensor>& begin,
                                   const std::vector<torch::Tensor>& end, double share) {
  auto mixed = end;
  for (std::size_t i = 0; i < end.size(); ++i) {
    const bool is_moved = begin[i].defined() && end[i].defined() && end[i].is_floating_point() &&
                          begin[i].sizes() == end[i].sizes();
    if (is_moved) {
      mixed[i] = begin[i].lerp(end[i], share);
    }
  }
  return mixed;
}

}  // namespace

TrainingSafeguard::TrainingSafeguard(torch::jit::Module& module,
                                     std::optional<torch::jit::Module> teacher, const Dataset& data,
                                     const TrainOptions& options)
    : TrainingSafeguard(module, std::move(teacher),
                        Subset(data, last_of_first_epoch(data.size(), options.seed)), options) {}

TrainingSafeguard::TrainingSafeguard(torch::jit::Module& module,
                                     std::optional<torch::jit::Module> teacher,
                                     const Subset& examples, const TrainOptions& options)
    : module_(module),
      teacher_(std::move(teacher)),
      options_(options),
      examples_(examples),
      tensors_(module),
      weights_(tensors_.copies()) {
  effect_.examples = examples_.size();
  effect_.before = mean_of(options.loss);
  if (const auto terms = on_labels(options.loss); !terms.empty()) {
    harmless_rise_ = kHarmlessRise * mean_of(Loss(terms));
  }
}

TrainingEffect TrainingSafeguard::undo_harm() {
  effect_.after = effect_.kept_loss = mean_of(options_.loss);
  if (!(effect_.after <= effect_.before + harmless_rise_)) {
    choose_part();
  }
  return effect_;
}

TrainingEffect TrainingSafeguard::keep_best_part() {
  effect_.after = effect_.kept_loss = mean_of(options_.loss);
  choose_part();
  return effect_;
}

void TrainingSafeguard::choose_part() {
  const torch::NoGradGuard no_grad;
  const auto end = tensors_.copies();
  if (!(effect_.after <= effect_.before)) {
    effect_.kept_share = 0.0;
    effect_.kept_loss = effect_.before;
  }
  if (std::isfinite(effect_.after)) {
    for (const double share : kShares) {
      tensors_.write(between(weights_, end, share));
      if (const double loss = mean_of(options_.loss); loss < effect_.kept_loss) {
        effect_.kept_share = share;
        effect_.kept_loss = loss;
      }
    }
  }
  tensors_.write(effect_.is_taken_back()    ? weights_
                 : effect_.kept_share < 1.0 ? between(weights_, end, effect_.kept_share)
                                            : end);
}

TrainingEffect TrainingSafeguard::undo(const Diverged& how) {
  tensors_.write(weights_);
  effect_.after = std::numeric_limits<double>::infinity();
  effect_.kept_share = 0.0;
  effect_.kept_loss = effect_.before;
  effect_.diverged = how.what();
  return effect_;
}

// Of ranks that of rank 0: they keep the training, or take it back, together.
double TrainingSafeguard::mean_of(const Loss& loss) {
  const torch::NoGradGuard no_grad;
  auto options = options_;
  options.loss = loss;
  const double mean = BatchLoss(module_, teacher_, options).mean(examples_);
  return Together(options.ranks).of_first(mean);
}

}  // namespace actswap
