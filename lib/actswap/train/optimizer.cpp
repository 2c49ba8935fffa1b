#include <actswap/train/optimizer.h>

#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <torch/torch.h>

namespace actswap {

namespace {

// torch.optim's defaults.
constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-8;

// The kernels walk over memory: all tensors of a parameter have its layout, and it has no gaps.
torch::Tensor without_gaps(const torch::Tensor& parameter) {
  const auto tensor = parameter.detach();
  return tensor.is_non_overlapping_and_dense() ? tensor : tensor.contiguous();
}

torch::Tensor laid_out_as(const torch::Tensor& gradient, const torch::Tensor& tensor) {
  return gradient.strides() == tensor.strides() ? gradient
                                                : torch::empty_like(tensor).copy_(gradient);
}

}  // namespace

// Weight decay is for matrices and kernels. Biases, the scales of normalisations and the slopes of
// activations have one dimension or none; pulling them to 0 only harms.
Optimizer::Optimizer(const TrainOptions& options, const std::vector<torch::Tensor>& parameters)
    : kind_(options.optimizer),
      momentum_(options.momentum),
      groups_{{{}, options.weight_decay}, {{}, 0.0}} {
  const torch::NoGradGuard without_gradients;
  for (const auto& parameter : parameters) {
    Member member;
    member.parameter = parameter;
    const auto tensor = without_gaps(parameter);
    if (kind_ == OptimizerKind::adamw) {
      member.mean = torch::zeros_like(tensor);
      member.square = torch::zeros_like(tensor);
      member.steps = torch::zeros({}, torch::kFloat32);
    } else if (momentum_ > 0.0) {
      member.mean = torch::zeros_like(tensor);  // the first step then takes the gradient itself
    }
    groups_[parameter.dim() > 1 ? 0 : 1].members.push_back(std::move(member));
  }
}

void Optimizer::zero_grad() {
  for (auto& group : groups_) {
    for (auto& member : group.members) {
      member.parameter.mutable_grad().reset();  // the next backward gives its own, and adds nothing
    }
  }
}

void Optimizer::step(double rate) {
  const torch::NoGradGuard without_gradients;
  for (const auto& group : groups_) {
    step(group, rate);
  }
}

void Optimizer::step(const Group& group, double rate) const {
  std::vector<torch::Tensor> tensors;
  std::vector<torch::Tensor> gradients;
  std::vector<torch::Tensor> means;
  std::vector<torch::Tensor> squares;
  std::vector<torch::Tensor> steps;
  std::vector<std::pair<torch::Tensor, torch::Tensor>> with_gaps;
  for (const auto& member : group.members) {
    if (!member.parameter.grad().defined()) {
      continue;
    }
    const auto tensor = without_gaps(member.parameter);
    if (!tensor.is_alias_of(member.parameter)) {
      with_gaps.emplace_back(member.parameter.detach(), tensor);
    }
    tensors.push_back(tensor);
    gradients.push_back(laid_out_as(member.parameter.grad(), tensor));
    if (member.mean.defined()) {
      means.push_back(member.mean);
    }
    if (kind_ == OptimizerKind::adamw) {
      squares.push_back(member.square);
      member.steps.add_(1.0);
      steps.push_back(member.steps);
    }
  }
  if (tensors.empty()) {
    return;
  }
  if (kind_ == OptimizerKind::adamw) {
    at::_fused_adamw_(tensors, gradients, means, squares, {}, steps, rate, kBeta1, kBeta2,
                      group.weight_decay, kEpsilon, /*amsgrad=*/false, /*maximize=*/false);
  } else {
    at::_fused_sgd_(tensors, gradients, means, group.weight_decay, momentum_, rate,
                    /*dampening=*/0.0, /*nesterov=*/false, /*maximize=*/false,
                    /*is_first_step=*/false);
  }
  for (auto& [parameter, stepped] : with_gaps) {
    parameter.copy_(stepped);
  }
}

}  // namespace actswap
