#include <actswap/train/optimizer.h>

#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <torch/script.h>

#include <algorithm>
#include <cmath>

namespace actswap {

namespace {

// torch.optim's defaults.
constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-8;
// As torch's clip_grad_norm_ has it.
constexpr double kClipEpsilon = 1e-6;
// A parameter that is 0 everywhere may grow to something.
constexpr double kLeastParameterSize = 1e-3;

double size_of(const torch::Tensor& parameter) {
  if (parameter.numel() == 0) {
    return kLeastParameterSize;
  }
  const auto square = parameter.detach().abs().to(torch::kDouble).square().mean();
  return std::max(kLeastParameterSize, std::sqrt(square.item<double>()));
}

}  // namespace

// Weight decay is for matrices and kernels. Biases, the scales of normalisations and the slopes of
// activations have one dimension or none; pulling them to 0 only harms.
Optimizer::Optimizer(const TrainOptions& options, const std::vector<torch::Tensor>& parameters)
    : kind_(options.optimizer),
      momentum_(options.momentum),
      clip_norm_(options.clip_norm),
      is_rate_relative_(options.is_rate_relative) {
  const torch::NoGradGuard without_gradients;
  for (const auto& parameter : parameters) {
    Member member{SteppedParameter(parameter)};
    if (kind_ == OptimizerKind::adamw) {
      member.mean = member.parameter.zeros();
      member.square = member.parameter.zeros();
      member.steps = torch::zeros({}, torch::kFloat32);
    } else if (momentum_ > 0.0) {
      member.mean = member.parameter.zeros();  // the first step then takes the gradient itself
    }
    group_of(parameter, parameter.dim() > 1 ? options.weight_decay : 0.0)
        .members.push_back(std::move(member));
  }
}

Optimizer::Group& Optimizer::group_of(const torch::Tensor& parameter, double weight_decay) {
  const double size = is_rate_relative_ ? size_of(parameter) : 1.0;
  const auto found = std::find_if(groups_.begin(), groups_.end(), [&](const Group& group) {
    return group.weight_decay == weight_decay && group.size == size;
  });
  return found != groups_.end()
             ? *found
             : groups_.emplace_back(Group{.weight_decay = weight_decay, .size = size});
}

void Optimizer::zero_grad() {
  for (auto& group : groups_) {
    for (auto& member : group.members) {
      // The next backward gives its own, and adds nothing.
      torch::Tensor(member.parameter.parameter()).mutable_grad().reset();
    }
  }
}

bool Optimizer::step(double rate, const LossScale& scale) {
  const torch::NoGradGuard without_gradients;
  if (!take_gradients(scale)) {
    return false;
  }
  clip();
  for (auto& group : groups_) {
    step(group, rate * group.size);
  }
  return true;
}

bool Optimizer::take_gradients(const LossScale& scale) {
  for (auto& group : groups_) {
    for (auto& member : group.members) {
      const auto& gradient = member.parameter.parameter().grad();
      if (!gradient.defined() || member.parameter.is_empty()) {
        member.gradient.reset();
        continue;
      }
      member.gradient = member.parameter.laid_out(gradient);
      if (scale.is_used()) {
        if (!torch::isfinite(member.gradient).all().item<bool>()) {
          return false;
        }
        member.gradient = member.gradient / scale.value();
      }
    }
  }
  return true;
}

// All gradients together, in the precision in which they are stepped.
void Optimizer::clip() const {
  if (clip_norm_ <= 0.0) {
    return;
  }
  std::vector<torch::Tensor> norms;
  for (const auto& group : groups_) {
    for (const auto& member : group.members) {
      if (member.gradient.defined()) {
        norms.push_back(member.gradient.norm().to(torch::kDouble));
      }
    }
  }
  if (norms.empty()) {
    return;
  }
  const double factor = clip_norm_ / (torch::stack(norms).norm().item<double>() + kClipEpsilon);
  if (!(factor < 1.0)) {
    return;
  }
  for (const auto& group : groups_) {
    for (const auto& member : group.members) {
      if (member.gradient.defined()) {
        torch::Tensor(member.gradient).mul_(factor);
      }
    }
  }
}

void Optimizer::step(Group& group, double rate) const {
  std::vector<torch::Tensor> tensors;
  std::vector<torch::Tensor> gradients;
  std::vector<torch::Tensor> means;
  std::vector<torch::Tensor> squares;
  std::vector<torch::Tensor> steps;
  for (auto& member : group.members) {
    if (!member.gradient.defined()) {
      continue;
    }
    tensors.push_back(member.parameter.tensor());
    gradients.push_back(member.gradient);
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
  for (auto& member : group.members) {
    if (member.gradient.defined()) {
      member.parameter.write_back();
      member.gradient.reset();
    }
  }
}

}  // namespace actswap
