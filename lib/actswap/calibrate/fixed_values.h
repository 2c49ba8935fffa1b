// The values of a program that are the same whatever its inputs are.
#pragma once

#include <actswap/calibrate/program.h>

#include <torch/csrc/jit/ir/ir.h>
#include <torch/types.h>

#include <map>

namespace actswap {

/// Constants, parameters, buffers, and what operators compute from these alone: a parameter that is
/// reshaped, the factor of a frozen batch norm.
class FixedValues {
 public:
  explicit FixedValues(const Program& program);

  bool is_fixed(const torch::jit::Value* value) const;
  /// A fixed tensor or number, as the fitted model has it now. Undefined if the value is not fixed
  /// or is of another type.
  torch::Tensor tensor_of(const torch::jit::Value* value) const;

 private:
  bool find(const torch::jit::Value* value) const;

  const Program& program_;
  mutable std::map<const torch::jit::Value*, bool> known_;
};

}  // namespace actswap
