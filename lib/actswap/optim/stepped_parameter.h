// A parameter in a form that LibTorch's fused kernels can step.
#pragma once

#include <actswap/base/export.h>

#include <torch/types.h>

#include <cstdint>

namespace actswap {

/// The kernels walk over the memory of real numbers. So they step a complex parameter as pairs, and
/// one with gaps in a copy. For one of bfloat16 or half they step a float32 copy, its master: there
/// steps add up that the parameter's rounding would lose, and squares of gradients do not underflow
/// (mixed precision, Micikevicius et al. 2018).
class ACTSWAP_API SteppedParameter {
 public:
  /// @param parameter dense, of floating-point or complex numbers
  explicit SteppedParameter(const torch::Tensor& parameter);

  const torch::Tensor& parameter() const { return parameter_; }
  bool is_empty() const { return parameter_.numel() == 0; }

  /// The tensor to step in place. It includes changes that others made to the parameter meanwhile.
  torch::Tensor tensor();
  /// The gradient in the type and layout of tensor(); a sparse one becomes dense.
  torch::Tensor laid_out(const torch::Tensor& gradient) const;
  /// A moment of the gradient.
  torch::Tensor zeros() const;
  /// Copies the stepped values into the parameter.
  void write_back();

  /// For a parameter with the same values as when these fields were written.
  template <typename Fields>
  void visit_fields(Fields& fields) {
    fields("copy", copy_);
  }

 private:
  torch::Tensor seen_as_real() const;

  torch::Tensor parameter_;
  torch::Tensor copy_;  // undefined where the parameter itself is stepped
  bool is_reduced_;
};

/// The factor that multiplies a loss before its gradient is taken and divides the gradient
/// afterwards, so that a gradient in half does not underflow. It falls when the gradient overflows
/// and slowly rises again. 1 if no parameter is half.
class ACTSWAP_API LossScale {
 public:
  explicit LossScale(bool is_used) : value_(is_used ? kFirst : 1.0), is_used_(is_used) {}

  bool is_used() const { return is_used_; }
  double value() const { return value_; }
  /// After a gradient that is not finite. @return whether to try the same loss again
  bool shrink();
  /// After a step.
  void note_step();

  template <typename Fields>
  void visit_fields(Fields& fields) {
    fields("value", value_);
    fields("steps", steps_);
  }

 private:
  static constexpr double kFirst = 65536.0;

  double value_;
  bool is_used_;
  std::int64_t steps_ = 0;  // since it changed
};

}  // namespace actswap
