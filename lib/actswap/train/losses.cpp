#include <actswap/base/error.h>
#include <actswap/train/losses.h>

#include <torch/script.h>

#include <sstream>
#include <utility>

namespace actswap {

namespace {

void expect_target(const torch::Tensor& target, const char* loss) {
  if (!target.defined()) {
    throw UsageError(std::string("Expected data with a target for ") + loss +
                     ", but it has none; outputs, distil, distil-mse, distil-cosine, layers and "
                     "sites need none");
  }
}

void expect_logits(const torch::Tensor& logits, std::int64_t class_dim, const char* loss) {
  if (!logits.is_floating_point() || logits.dim() < 2) {
    throw UsageError(std::string("Expected floating-point logits of shape N x C (x ...) for ") +
                     loss + ", but the model gives " + describe(logits));
  }
  if (class_dim == 0 || class_dim >= logits.dim() || class_dim <= -logits.dim()) {
    throw UsageError("Expected the classes in a dimension of the model's output (" +
                     describe(logits) + ") but the first, but got " + std::to_string(class_dim));
  }
  if (logits.size(class_dim) < 2) {
    throw UsageError(std::string("Expected two classes or more for ") + loss +
                     ", as a softmax of one is always 1, but the model gives " + describe(logits) +
                     ", with its classes in dimension " + std::to_string(class_dim));
  }
}

void expect_same_shape(const torch::Tensor& output, const torch::Tensor& original) {
  if (output.sizes() != original.sizes()) {
    throw UsageError("Expected the model's output to have the original's shape, but got " +
                     describe(output) + " against " + describe(original));
  }
}

void expect_classes(const torch::Tensor& logits, const torch::Tensor& target) {
  auto shape = logits.sizes().vec();
  shape.erase(shape.begin() + 1);
  if (!c10::isIntegralType(target.scalar_type(), /*includeBool=*/false)) {
    throw UsageError("Expected integer classes as the target for cross-entropy, but got " +
                     describe(target));
  }
  if (target.sizes() != c10::IntArrayRef(shape)) {
    throw UsageError(
        "Expected as the target for cross-entropy one class for each of the outputs (" +
        describe(logits) + "), but got " + describe(target) +
        (target.sizes() == logits.sizes()                    ? "; take the argmax of one-hot labels"
         : target.numel() * logits.size(1) == logits.numel() ? "; squeeze the labels"
                                                             : ""));
  }
  if (target.numel() == 0) {
    return;
  }
  const auto [least, most] = torch::aminmax(target);
  const auto lowest = least.item<std::int64_t>();
  const auto highest = most.item<std::int64_t>();
  if (lowest < 0 || highest >= logits.size(1)) {
    throw UsageError("Expected classes from 0 to " + std::to_string(logits.size(1) - 1) +
                     ", as many as the model's output has, but found class " +
                     std::to_string(lowest < 0 ? lowest : highest));
  }
}

// Two values without the infinities that both have at the same places, as masks make them: there
// they are equal, but inf - inf is not a number.
std::pair<torch::Tensor, torch::Tensor> without_equal_infinities(const torch::Tensor& a,
                                                                 const torch::Tensor& b) {
  const auto is_infinite = torch::isinf(b);
  if (!is_infinite.any().item<bool>()) {
    return {a, b};
  }
  const auto is_equal = is_infinite.logical_and(a.eq(b));
  return {a.masked_fill(is_equal, 0.0), b.masked_fill(is_equal, 0.0)};
}

// Of what all ranks have.
torch::Tensor variance_of_all(const torch::Tensor& values, const Together& together) {
  if (together.is_alone()) {
    return torch::var(values, /*unbiased=*/false);
  }
  const auto count = static_cast<double>(together.sum(values.numel()));
  const auto mean = together.sum_with_gradient(values.sum()) / count;
  return together.sum_with_gradient((values - mean).square().sum()) / count;
}

}  // namespace

std::string describe(const torch::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.dtype() << " of shape " << tensor.sizes();
  return text.str();
}

const torch::Tensor& main_output(const std::vector<torch::Tensor>& outputs) {
  if (outputs.empty()) {
    throw UsageError("Expected the model to give a tensor, but its output holds none");
  }
  return outputs.front();
}

torch::Tensor cross_entropy(const torch::Tensor& output, const torch::Tensor& target,
                            std::int64_t class_dim) {
  expect_target(target, "cross-entropy");
  expect_logits(output, class_dim, "cross-entropy");
  const auto logits = output.movedim(class_dim, 1);
  expect_classes(logits, target);
  return torch::cross_entropy_loss(logits, target.to(torch::kInt64));
}

torch::Tensor mean_squared_error(const torch::Tensor& output, const torch::Tensor& target) {
  expect_target(target, "the mean squared error");
  if (!output.is_floating_point() || output.sizes() != target.sizes()) {
    throw UsageError(
        "Expected a floating-point output and a target of its shape for the mean squared error, "
        "but "
        "the model gives " +
        describe(output) + " and the target is " + describe(target));
  }
  const auto [ours, theirs] = without_equal_infinities(output, target.to(output.scalar_type()));
  return torch::mse_loss(ours, theirs);
}

torch::Tensor distillation(const torch::Tensor& student, const torch::Tensor& teacher,
                           double temperature, std::int64_t class_dim) {
  expect_logits(student, class_dim, "distil (outputs and distil-mse take any shape)");
  expect_same_shape(student, teacher);
  // A class that is masked has a probability of 0, and no part in the divergence.
  const auto [student_log, teacher_log] =
      without_equal_infinities(torch::log_softmax(student / temperature, class_dim),
                               torch::log_softmax(teacher / temperature, class_dim));
  const auto divergence =
      torch::kl_div(student_log, teacher_log, at::Reduction::Sum, /*log_target=*/true);
  const std::int64_t distributions = student.numel() / student.size(class_dim);
  return divergence * (temperature * temperature / static_cast<double>(distributions));
}

torch::Tensor cosine_distance(const torch::Tensor& output, const torch::Tensor& original) {
  expect_same_shape(output, original);
  if (!output.is_floating_point() || output.dim() == 0) {
    throw UsageError("Expected floating-point embeddings for distil-cosine, but the model gives " +
                     describe(output));
  }
  const auto [ours, theirs] = without_equal_infinities(output, original);
  return 1.0 - torch::cosine_similarity(ours, theirs, -1).mean();
}

torch::Tensor site_loss(const std::vector<torch::Tensor>& values,
                        const std::vector<torch::Tensor>& originals, const Together& together) {
  if (values.empty() || values.size() != originals.size()) {
    throw UsageError(
        "Expected a model and an original that report at the same sites for the loss sites, but "
        "got " +
        std::to_string(values.size()) + " and " + std::to_string(originals.size()) +
        " values (Retargeter::observe_blends makes them report)");
  }
  torch::Tensor sum;
  for (std::size_t i = 0; i < values.size(); ++i) {
    expect_same_shape(values[i], originals[i]);
    const auto [ours, theirs] = without_equal_infinities(values[i], originals[i]);
    const auto variance = variance_of_all(theirs, together);
    const auto scale = torch::where(variance > 0, variance.reciprocal(), 0.0);
    const auto loss = torch::mse_loss(ours, theirs) * scale;
    sum = sum.defined() ? sum + loss : loss;
  }
  return sum / static_cast<double>(values.size());
}

}  // namespace actswap
