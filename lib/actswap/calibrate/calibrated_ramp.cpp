#include <actswap/calibrate/calibrated_ramp.h>

#include <actswap/graph/model.h>

#include <torch/torch.h>

namespace actswap {

CalibratedRamp::CalibratedRamp(const torch::jit::Module& module) {
  const torch::NoGradGuard no_grad;
  tensors_ = distinct_parameters(module);
  parameters_ = tensors_.size();
  for (const auto& buffer : module.buffers()) {
    if (buffer.is_floating_point()) {
      tensors_.push_back(buffer);
    }
  }
  before_ = copy_tensors(tensors_);
}

void CalibratedRamp::rewind() {
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (!torch::equal(tensors_[i], before_[i])) {
      changed_.push_back({.tensor = tensors_[i],
                          .change = tensors_[i] - before_[i],
                          .is_buffer = i >= parameters_,
                          .left = before_[i]});
      tensors_[i].copy_(before_[i]);
    }
  }
  tensors_.clear();
  before_.clear();
  t_ = 0.0;
}

void CalibratedRamp::move(double t) {
  const torch::NoGradGuard no_grad;
  if (t == t_) {
    return;
  }
  std::erase_if(changed_, [](const Changed& changed) {
    return changed.is_buffer && !torch::equal(changed.tensor, changed.left);
  });
  for (auto& changed : changed_) {
    changed.tensor.add_(changed.change, t - t_);
    if (changed.is_buffer) {
      changed.left = changed.tensor.clone();
    }
  }
  t_ = t;
}

}  // namespace actswap
