#include <actswap/base/error.h>
#include <actswap/measure/nearness.h>
#include <actswap/measure/score.h>
#include <actswap/run/compare.h>
#include <actswap/train/losses.h>

#include <torch/script.h>

#include <algorithm>
#include <limits>
#include <sstream>

namespace actswap {

namespace {

void expect_same_shapes(const std::vector<torch::Tensor>& original,
                        const std::vector<torch::Tensor>& outputs) {
  std::ostringstream text;
  if (original.size() != outputs.size()) {
    text << original.size() << " tensors, but got " << outputs.size();
    throw UsageError("Expected outputs to compare with the original's " + text.str());
  }
  for (std::size_t i = 0; i < original.size(); ++i) {
    if (original[i].sizes() != outputs[i].sizes()) {
      text << "shape " << original[i].sizes() << ", but got " << outputs[i].sizes();
      throw UsageError("Expected outputs to compare with the original's of " + text.str());
    }
  }
}

// Of each example; where the first dimension is not that of the examples, the mean for all.
torch::Tensor sum_of_each(const torch::Tensor& values, std::int64_t examples) {
  if (values.dim() > 0 && values.size(0) == examples) {
    return values.reshape({examples, -1}).sum(1);
  }
  return (values.sum() / examples).expand({examples});
}

// Leaves out values that are equal and not finite (a mask). NaN for an example without others.
torch::Tensor cosine_of_unmasked(const torch::Tensor& original, const torch::Tensor& output) {
  const auto wanted = finite_part(original);
  const auto cosines = cosine_of_each(wanted, wanted + output_difference(output, original));
  const auto finite = original.isfinite().reshape({original.size(0), -1}).any(1);
  return cosines.masked_fill(~finite, std::numeric_limits<double>::quiet_NaN());
}

}  // namespace

void Nearness::add(const std::vector<torch::Tensor>& original,
                   const std::vector<torch::Tensor>& outputs, const OutputForm& form) {
  expect_same_shapes(original, outputs);
  const auto& main = main_output(original);
  const auto examples = main.dim() > 0 ? main.size(0) : 1;
  std::size_t number = 0;
  for (std::size_t i = 0; i < original.size(); ++i) {
    if (!is_continuous(original[i])) {
      continue;
    }
    errors_.resize(std::max(errors_.size(), ++number));
    auto& errors = errors_[number - 1];
    errors.squares.push_back(
        sum_of_each(output_difference(outputs[i], original[i]).square(), examples));
    errors.norm += finite_part(original[i]).square().sum().item<double>();
    errors.is_finite = errors.is_finite || has_finite(original[i]);
  }
  add_main(main, main_output(outputs), form);
}

void Nearness::add_main(const torch::Tensor& original, const torch::Tensor& output,
                        const OutputForm& form) {
  if (is_continuous(original) && original.dim() > 0) {
    cosines_.push_back(cosine_of_unmasked(original, output));
  }
  if (form.has_classes()) {
    // NaN predicts nothing: it never agrees with the original, whose own NaN do not count.
    const auto predicted = ~original.isnan().any(form.dim);
    const auto same = (original.argmax(form.dim) == output.argmax(form.dim)) &
                      ~output.isnan().any(form.dim) & predicted;
    same_ += same.sum().item<double>();
    predictions_ += predicted.sum().item<std::int64_t>();
  }
}

void Nearness::append(const Nearness& later) {
  errors_.resize(std::max(errors_.size(), later.errors_.size()));
  for (std::size_t i = 0; i < later.errors_.size(); ++i) {
    auto& [squares, norm, is_finite] = errors_[i];
    const auto& more = later.errors_[i];
    squares.insert(squares.end(), more.squares.begin(), more.squares.end());
    norm += more.norm;
    is_finite = is_finite || more.is_finite;
  }
  cosines_.insert(cosines_.end(), later.cosines_.begin(), later.cosines_.end());
  same_ += later.same_;
  predictions_ += later.predictions_;
}

Agreement Nearness::result() const {
  Agreement agreement;
  torch::Tensor sum;
  for (const auto& errors : errors_) {
    const auto squares = torch::cat(errors.squares);
    const auto each = squares * (static_cast<double>(squares.size(0)) / errors.norm);
    // A model agrees with an original that gives only zeros exactly or not at all, and with one
    // that gives nothing finite never.
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const auto of_zeros = torch::where(squares > 0.0, kInfinity, torch::zeros_like(squares));
    const auto usable = errors.norm > 0.0 ? each : of_zeros;
    const auto known = errors.is_finite
                           ? usable
                           : torch::full_like(squares, std::numeric_limits<double>::quiet_NaN());
    sum = sum.defined() ? sum + known : known;
  }
  if (sum.defined()) {
    sum = sum / static_cast<double>(errors_.size());
    agreement.relative_error = sum.mean().item<double>();
    agreement.example_errors = sum.to(torch::kFloat32);
  }
  if (!cosines_.empty()) {
    agreement.mean_cosine = torch::cat(cosines_).mean().item<double>();
  }
  if (predictions_ > 0) {
    agreement.same_prediction = 100.0 * same_ / static_cast<double>(predictions_);
  }
  return agreement;
}

}  // namespace actswap
