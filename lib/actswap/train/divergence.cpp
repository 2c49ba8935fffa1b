#include <actswap/base/error.h>
#include <actswap/train/divergence.h>

#include <algorithm>
#include <cmath>
#include <sstream>

namespace actswap {

namespace {

constexpr std::int64_t kMostExamples = 256;
constexpr std::int64_t kFewestExamples = 64;
constexpr std::int64_t kShare = 16;  // of what the training sees
constexpr double kExplosion = 10.0;
constexpr double kGrowth = 100.0;
// Steps in a row; a peak passes.
constexpr std::int64_t kMostAbove = 20;
// Parameters that are all 0 at the start may grow to something.
constexpr double kLeastSize = 1e-2;

// Few in a short training, which should not take longer to be measured than to be done.
std::vector<std::int64_t> some_examples(const Dataset& data, const TrainOptions& options) {
  const auto size = data.size();
  const auto fewest = std::max(kFewestExamples, data.fixed_batch());
  const auto seen = options.steps(size) * options.batch_size;
  auto order = shuffled_indices(size, options.seed, 0);
  order.resize(static_cast<std::size_t>(
      std::min(size, std::clamp(seen / kShare, fewest, std::max(fewest, kMostExamples)))));
  return order;
}

// 0 where it says nothing.
double finite_or_zero(double value) {
  return std::isfinite(value) ? value : 0.0;
}

}  // namespace

DivergenceCheck::DivergenceCheck(BatchLoss& loss, const Dataset& data, const TrainOptions& options,
                                 const std::vector<torch::Tensor>& parameters)
    : loss_(loss),
      examples_(data, some_examples(data, options)),
      parameters_(parameters),
      has_scale_(!options.loss.has(Signal::module)) {
  size_ = size_of_parameters();
  try {
    start_ = loss_.mean(examples_);
    of_zeros_ = finite_or_zero(loss_.mean_of_zeros(examples_));
  } catch (const UsageError&) {
    is_comparable_ = false;  // the first step says what is wrong, if it is in train mode, too
  }
  is_comparable_ = is_comparable_ && std::isfinite(start_);
}

double DivergenceCheck::size_of_parameters() const {
  const torch::NoGradGuard without_gradients;
  double squares = 0.0;
  double count = 0.0;
  for (const auto& parameter : parameters_) {
    squares += parameter.detach().abs().to(torch::kDouble).square().sum().item<double>();
    count += static_cast<double>(parameter.numel());
  }
  return std::sqrt(squares / std::max(1.0, count));
}

bool DivergenceCheck::note(std::int64_t step, double loss) {
  const double limit = kExplosion * std::max(start_, of_zeros_);
  const bool is_above = is_comparable_ && has_scale_ && limit > 0.0 && loss > limit;
  if (is_above && !first_above_) {
    first_above_ = step;
  }
  above_ = is_above ? above_ + 1 : 0;
  return above_ >= kMostAbove;
}

bool DivergenceCheck::is_diverged(double loss, double untrained) const {
  if (loss <= untrained) {
    return false;
  }
  const double worst = std::max(untrained, of_zeros_);
  const bool has_exploded = has_scale_ && worst > 0.0 && loss >= kExplosion * worst;
  return has_exploded || size_of_parameters() > kGrowth * std::max(size_, kLeastSize);
}

std::optional<std::string> DivergenceCheck::verdict(
    const std::function<double(const std::function<double()>& measure)>& swap_loss) {
  if (!is_comparable_) {
    return {};
  }
  const auto measure = [this] { return loss_.mean(examples_); };
  const double loss = measure();
  std::ostringstream text;
  text << "the loss on " << examples_.size() << " training examples ends at " << loss;
  if (!std::isfinite(loss)) {
    return text.str();
  }
  if (!is_diverged(loss, start_)) {
    return {};
  }
  const double swap = finite_or_zero(swap_loss(measure));
  if (!is_diverged(loss, std::max(start_, swap))) {
    return {};
  }
  text << ", where it began at " << start_ << " and a model that gives nothing but 0 has "
       << of_zeros_;
  if (first_above_) {
    text << "; that of a batch rose above 10 times both in step " << *first_above_;
  }
  text << "; the root mean square of the parameters went from " << size_ << " to "
       << size_of_parameters();
  return text.str();
}

}  // namespace actswap
