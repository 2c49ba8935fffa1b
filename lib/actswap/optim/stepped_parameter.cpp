#include <actswap/optim/stepped_parameter.h>

namespace actswap {

namespace {

// As torch.amp's GradScaler has it.
constexpr double kFactor = 2.0;
constexpr std::int64_t kStepsToGrow = 2000;
// A gradient that overflows with less than that has no place in half.
constexpr double kLeastScale = 1.0 / 65536.0;

torch::Tensor real_view(const torch::Tensor& values) {
  return values.is_complex() ? torch::view_as_real(values.resolve_conj()) : values;
}

}  // namespace

SteppedParameter::SteppedParameter(const torch::Tensor& parameter) : parameter_(parameter) {
  const torch::NoGradGuard without_gradients;
  const auto real = seen_as_real();
  is_reduced_ = real.scalar_type() == torch::kHalf || real.scalar_type() == torch::kBFloat16;
  if (is_reduced_) {
    copy_ = real.to(torch::kFloat32).contiguous();
  } else if (!real.is_non_overlapping_and_dense() || parameter.is_conj()) {
    copy_ = real.contiguous().clone();
  }
}

torch::Tensor SteppedParameter::seen_as_real() const {
  return real_view(parameter_.detach());
}

torch::Tensor SteppedParameter::tensor() {
  if (!copy_.defined()) {
    return seen_as_real();
  }
  const auto real = seen_as_real();
  if (is_reduced_) {
    copy_.add_(real.to(copy_.scalar_type()) - copy_.to(real.scalar_type()).to(copy_.scalar_type()));
  } else {
    copy_.copy_(real);
  }
  return copy_;
}

torch::Tensor SteppedParameter::laid_out(const torch::Tensor& gradient) const {
  const auto tensor = copy_.defined() ? copy_ : seen_as_real();
  const auto dense = gradient.layout() == torch::kStrided ? gradient : gradient.to_dense();
  const auto real = real_view(dense).to(tensor.scalar_type());
  return real.strides() == tensor.strides() ? real : torch::empty_like(tensor).copy_(real);
}

torch::Tensor SteppedParameter::zeros() const {
  return torch::zeros_like(copy_.defined() ? copy_ : seen_as_real());
}

void SteppedParameter::write_back() {
  if (copy_.defined()) {
    parameter_.detach().copy_(parameter_.is_complex() ? torch::view_as_complex(copy_) : copy_);
  }
}

bool LossScale::shrink() {
  if (!is_used_ || value_ <= kLeastScale) {
    return false;
  }
  value_ /= kFactor;
  steps_ = 0;
  return true;
}

void LossScale::note_step() {
  if (is_used_ && ++steps_ == kStepsToGrow) {
    value_ *= kFactor;
    steps_ = 0;
  }
}

}  // namespace actswap
