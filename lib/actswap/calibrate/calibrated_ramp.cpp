#include <actswap/calibrate/calibrated_ramp.h>
#include <actswap/calibrate/difference.h>

#include <actswap/graph/model.h>

#include <torch/script.h>

#include <utility>

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
      Changed changed{.number = i,
                      .tensor = tensors_[i],
                      .change = widened(tensors_[i]) - widened(before_[i]),
                      .is_buffer = i >= parameters_,
                      .is_followed = true,
                      .before = {},
                      .left = {},
                      .added = {}};
      if (changed.is_buffer) {
        changed.before = changed.left = before_[i];
      } else if (changed.change.scalar_type() != tensors_[i].scalar_type()) {
        changed.added = torch::zeros_like(changed.change);
      }
      tensors_[i].copy_(before_[i]);
      changed_.push_back(std::move(changed));
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
  for (auto& changed : changed_) {
    changed.is_followed =
        changed.is_followed && (!changed.is_buffer || torch::equal(changed.tensor, changed.left));
    if (changed.is_followed) {
      move(changed, t_, t);
    }
  }
  t_ = t;
}

// Only the ramp writes to a buffer, so t determines it. Training also adds to a parameter.
void CalibratedRamp::move(Changed& changed, double from, double to) {
  auto& tensor = changed.tensor;
  if (changed.is_buffer) {
    tensor.copy_(widened(changed.before) + changed.change * to);
    changed.left = tensor.clone();
  } else if (changed.added.defined()) {
    const auto before = widened(tensor).clone();
    tensor.copy_(before + (changed.change * to - changed.added));
    changed.added += widened(tensor) - before;
  } else {
    tensor.add_(changed.change, to - from);
  }
}

}  // namespace actswap
