#include <actswap/base/error.h>
#include <actswap/measure/nearness.h>
#include <actswap/measure/score.h>
#include <actswap/train/losses.h>

#include <torch/torch.h>

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

bool has_classes(const torch::Tensor& output, const torch::Tensor& target) {
  return output.is_floating_point() && output.dim() >= 2 && output.size(1) >= 2 &&
         !(target.defined() && target.is_floating_point());
}

}  // namespace

void Nearness::add(const std::vector<torch::Tensor>& original,
                   const std::vector<torch::Tensor>& outputs, const torch::Tensor& target) {
  expect_same_shapes(original, outputs);
  const auto& main = main_output(original);
  const auto examples = main.dim() > 0 ? main.size(0) : 1;
  std::size_t number = 0;
  for (std::size_t i = 0; i < original.size(); ++i) {
    if (!original[i].is_floating_point()) {
      continue;
    }
    errors_.resize(std::max(errors_.size(), ++number));
    auto& errors = errors_[number - 1];
    const auto wanted = original[i].to(torch::kFloat64);
    errors.squares.push_back(
        sum_of_each((outputs[i].to(torch::kFloat64) - wanted).square(), examples));
    errors.norm += wanted.square().sum().item<double>();
  }
  add_main(main, main_output(outputs), target);
}

void Nearness::add_main(const torch::Tensor& original, const torch::Tensor& output,
                        const torch::Tensor& target) {
  if (original.is_floating_point() && original.dim() > 0) {
    cosines_.push_back(cosine_of_each(original, output));
  }
  if (has_classes(original, target)) {
    const auto of = [&](const torch::Tensor& values) {
      return (target.defined() ? classes_second(values, target) : values).argmax(1);
    };
    const auto same = of(original) == of(output);
    same_ += same.sum().item<double>();
    predictions_ += same.numel();
  }
}

Agreement Nearness::result() const {
  Agreement agreement;
  torch::Tensor sum;
  for (const auto& errors : errors_) {
    const auto squares = torch::cat(errors.squares);
    const auto each = squares * (static_cast<double>(squares.size(0)) / errors.norm);
    // An original that gives zeros alone is met exactly or not at all.
    const auto usable = errors.norm > 0.0
                            ? each
                            : torch::where(squares > 0.0, std::numeric_limits<double>::infinity(),
                                           torch::zeros_like(squares));
    sum = sum.defined() ? sum + usable : usable;
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
