// A parameter in the form in which LibTorch's fused kernels can step it.
#pragma once

#include <actswap/base/export.h>

#include <torch/types.h>

#include <cstdint>

namespace actswap {

/// The kernels walk over the memory of real numbers. So a complex parameter is seen as pairs, and
/// one with gaps is stepped in a copy. One of bfloat16 or half is stepped in a float32 copy, its
/// master: steps that are lost in the parameter's rounding add up there, and squares of gradients
/// do not underflow (mixed precision, Micikevicius et al. 2018).
class ACTSWAP_API SteppedParameter {
 public:
  /// @param parameter dense, of floating-point or complex numbers
  explicit SteppedParameter(const torch::Tensor& parameter);

  const torch::Tensor& parameter() const { return parameter_; }
  bool is_empty() const { return parameter_.numel() == 0; }

  /// What is to be stepped in place. It has followed what others did to the parameter meanwhile.
  torch::Tensor tensor();
  /// Of the type and layout of tensor(); of a sparse gradient the dense one.
  torch::Tensor laid_out(const torch::Tensor& gradient) const;
  /// A moment of the gradient.
  torch::Tensor zeros() const;
  /// Gives the parameter what was stepped.
  void write_back();

  /// Of a parameter that holds what it held when these were written.
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

/// What a loss is multiplied with before its gradient is taken, and the gradient divided by after
/// it, so that a gradient in half does not underflow. It falls where the gradient overflows and
/// rises again slowly. 1 where no half is.
class ACTSWAP_API LossScale {
 public:
  explicit LossScale(bool is_used) : value_(is_used ? kFirst : 1.0), is_used_(is_used) {}

  bool is_used() const { return is_used_; }
  double value() const { return value_; }
  /// After a gradient that is not finite: the same loss may be tried again. @return whether
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
