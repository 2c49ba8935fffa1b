#include <actswap/base/error.h>
#include <actswap/measure/score.h>
#include <actswap/train/losses.h>

#include <torch/script.h>

#include <limits>

namespace actswap {

namespace {

torch::Tensor add_to(const torch::Tensor& sum, const torch::Tensor& more) {
  return sum.defined() ? sum + more : more;
}

double percent(const torch::Tensor& part, const torch::Tensor& whole) {
  const auto count = whole.item<double>();
  return count > 0.0 ? 100.0 * part.item<double>() / count
                     : std::numeric_limits<double>::quiet_NaN();
}

torch::Tensor mean_of_each(const torch::Tensor& values) {
  return values.to(torch::kFloat32).reshape({values.size(0), -1}).mean(1);
}

}  // namespace

torch::Tensor cosine_of_each(const torch::Tensor& a, const torch::Tensor& b) {
  const auto flat = [](const torch::Tensor& values) {
    return values.to(torch::kFloat64).reshape({values.size(0), -1});
  };
  return torch::cosine_similarity(flat(a), flat(b), 1);
}

torch::Tensor classes_second(const torch::Tensor& output, const torch::Tensor& target) {
  if (output.dim() < 3 || target.dim() != output.dim() - 1) {
    return output;
  }
  auto shape = output.sizes().vec();
  shape.erase(shape.begin() + 1);
  const bool fits_second = target.sizes() == c10::IntArrayRef(shape);
  const bool fits_last = target.sizes() == output.sizes().slice(0, target.dim());
  return fits_last && !fits_second ? output.movedim(-1, 1) : output;
}

void Score::add(const torch::Tensor& given, const torch::Tensor& target) {
  if (!target.defined()) {
    throw UsageError("Expected data with a target to evaluate on, but it has none");
  }
  if (target.is_floating_point()) {
    add_loss(mean_squared_error(given, target), target.numel());
    values_.push_back(mean_of_each((given - target).square()));
    losses_.push_back(values_.back());
    if (target.numel() > target.size(0)) {
      cosines_.push_back(cosine_of_each(given, target));
    }
    return;
  }
  const auto output = classes_second(given, target);
  add_loss(cross_entropy(output, target), target.numel());
  const auto classes = target.to(torch::kInt64);
  // The largest of NaN is the first NaN, which is no prediction.
  const auto predicted = ~output.isnan().any(1);
  has_prediction_ = has_prediction_ || predicted.any().item<bool>();
  const auto right = (output.argmax(1) == classes) & predicted;
  values_.push_back(100.0 * mean_of_each(right));
  losses_.push_back(
      mean_of_each(at::cross_entropy_loss(output, classes, /*weight=*/{}, at::Reduction::None)));
  const auto width = output.size(1);
  counts_ = add_to(counts_, torch::bincount(classes.flatten(), {}, width));
  hits_ = add_to(hits_, torch::bincount(classes.masked_select(right), {}, width));
}

// Batches weigh as many as they have targets: the last may be smaller.
void Score::add_loss(const torch::Tensor& mean, std::int64_t count) {
  loss_ += mean.item<double>() * static_cast<double>(count);
  weight_ += count;
}

void Score::append(const Score& later) {
  loss_ += later.loss_;
  weight_ += later.weight_;
  if (later.counts_.defined()) {
    counts_ = add_to(counts_, later.counts_);
    hits_ = add_to(hits_, later.hits_);
  }
  has_prediction_ = has_prediction_ || later.has_prediction_;
  values_.insert(values_.end(), later.values_.begin(), later.values_.end());
  losses_.insert(losses_.end(), later.losses_.begin(), later.losses_.end());
  cosines_.insert(cosines_.end(), later.cosines_.begin(), later.cosines_.end());
}

Evaluation Score::result() const {
  Evaluation evaluation;
  evaluation.mean_loss = loss_ / static_cast<double>(weight_);
  evaluation.example_values = torch::cat(values_);
  evaluation.example_losses = torch::cat(losses_);
  evaluation.examples = evaluation.example_values.size(0);
  if (!counts_.defined()) {
    evaluation.metric = "mse";
    evaluation.value = evaluation.mean_loss;
    if (!cosines_.empty()) {
      evaluation.mean_cosine = torch::cat(cosines_).mean().item<double>();
    }
    return evaluation;
  }
  evaluation.metric = "accuracy";
  evaluation.value = has_prediction_ ? percent(hits_.sum(), counts_.sum())
                                     : std::numeric_limits<double>::quiet_NaN();
  for (std::int64_t i = 0; i < counts_.size(0); ++i) {
    evaluation.per_class.push_back(percent(hits_[i], counts_[i]));
  }
  return evaluation;
}

}  // namespace actswap
