#include <actswap/calibrate/calibrated_ramp.h>

#include <actswap/graph/model.h>

#include <torch/torch.h>

namespace actswap {

CalibratedRamp::CalibratedRamp(const torch::jit::Module& module) {
  const torch::NoGradGuard no_grad;
  tensors_ = distinct_parameters(module);
  for (const auto& buffer : module.buffers()) {
    if (buffer.is_floating_point()) {
      tensors_.push_back(buffer);
    }
  }
  before_ = copy_tensors(tensors_);
}

void CalibratedRamp::rewind() {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> changed;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (!torch::equal(tensors_[i], before_[i])) {
      change_.push_back(tensors_[i] - before_[i]);
      tensors_[i].copy_(before_[i]);
      changed.push_back(tensors_[i]);
    }
  }
  tensors_ = std::move(changed);
  before_.clear();
  t_ = 0.0;
}

void CalibratedRamp::move(double t) {
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < change_.size() && t != t_; ++i) {
    tensors_[i].add_(change_[i], t - t_);
  }
  t_ = t;
}

}  // namespace actswap
