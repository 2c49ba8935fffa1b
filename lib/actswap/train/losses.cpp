#include <actswap/base/error.h>
#include <actswap/train/losses.h>

#include <torch/torch.h>

#include <sstream>

namespace actswap {

namespace {

std::string describe(const torch::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.dtype() << " of shape " << tensor.sizes();
  return text.str();
}

void expect_target(const torch::Tensor& target, const char* loss) {
  if (!target.defined()) {
    throw UsageError(std::string("Expected data with a target for ") + loss +
                     ", but it has none; the losses distil and distil-mse need none");
  }
}

void expect_logits(const torch::Tensor& logits, const char* loss) {
  if (!logits.is_floating_point() || logits.dim() < 2) {
    throw UsageError(std::string("Expected floating-point logits of shape N x C (x ...) for ") +
                     loss + ", but the model gives " + describe(logits));
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
        describe(logits) + "), but got " + describe(target));
  }
  if (target.numel() == 0) {
    return;
  }
  const auto [least, most] = torch::aminmax(target);
  const auto lowest = least.item<std::int64_t>();
  const auto highest = most.item<std::int64_t>();
  if (lowest < 0 || highest >= logits.size(1)) {
    throw UsageError("Expected classes in [0, " + std::to_string(logits.size(1)) +
                     "), as many as the model's output has, but found class " +
                     std::to_string(lowest < 0 ? lowest : highest));
  }
}

torch::Tensor distil_all(const TrainOptions& options, const std::vector<torch::Tensor>& students,
                         const std::vector<torch::Tensor>& teachers) {
  if (students.size() != teachers.size()) {
    throw UsageError("Expected the model to give as many tensors as the original (" +
                     std::to_string(teachers.size()) + "), but got " +
                     std::to_string(students.size()));
  }
  torch::Tensor sum;
  for (std::size_t i = 0; i < students.size(); ++i) {
    if (!students[i].is_floating_point()) {
      continue;  // an index or a mask: nothing that a gradient could move
    }
    const auto loss = options.loss == Loss::distil
                          ? distillation(students[i], teachers[i], options.temperature)
                          : mean_squared_error(students[i], teachers[i]);
    sum = sum.defined() ? sum + loss : loss;
  }
  if (!sum.defined()) {
    throw UsageError("Expected the model to give a floating-point tensor, but it gives none");
  }
  return sum;
}

}  // namespace

const torch::Tensor& main_output(const std::vector<torch::Tensor>& outputs) {
  if (outputs.empty()) {
    throw UsageError("Expected the model to give a tensor, but its output holds none");
  }
  return outputs.front();
}

torch::Tensor cross_entropy(const torch::Tensor& logits, const torch::Tensor& target) {
  expect_target(target, "cross-entropy");
  expect_logits(logits, "cross-entropy");
  expect_classes(logits, target);
  return torch::nn::functional::cross_entropy(logits, target.to(torch::kInt64));
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
  return torch::mse_loss(output, target.to(output.scalar_type()));
}

torch::Tensor distillation(const torch::Tensor& student, const torch::Tensor& teacher,
                           double temperature) {
  expect_logits(student, "distil (distil-mse takes any shape)");
  if (student.sizes() != teacher.sizes()) {
    throw UsageError("Expected the model's output to have the original's shape, but got " +
                     describe(student) + " against " + describe(teacher));
  }
  const auto student_log = torch::log_softmax(student / temperature, 1);
  const auto teacher_log = torch::log_softmax(teacher / temperature, 1);
  const auto divergence =
      torch::kl_div(student_log, teacher_log, at::Reduction::Sum, /*log_target=*/true);
  const std::int64_t distributions = student.numel() / student.size(1);
  return divergence * (temperature * temperature / static_cast<double>(distributions));
}

torch::Tensor compute_loss(const TrainOptions& options, const std::vector<torch::Tensor>& outputs,
                           const torch::Tensor& target,
                           const std::vector<torch::Tensor>& teacher_outputs) {
  switch (options.loss) {
    case Loss::cross_entropy:
      return cross_entropy(main_output(outputs), target);
    case Loss::mse:
      return mean_squared_error(main_output(outputs), target);
    case Loss::distil:
    case Loss::distil_mse:
      break;
  }
  return distil_all(options, outputs, teacher_outputs);
}

}  // namespace actswap
