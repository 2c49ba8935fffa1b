// A blend of stock ATen operators, for cases that the kernels do not cover.
#pragma once

#include <actswap/activation/activation.h>

#include <torch/script.h>

#include <memory>

namespace actswap {

/// Two rows as TorchScript functions.
class ComposedBlend {
 public:
  ComposedBlend(const ActivationSpec& source, const ActivationSpec& target);

  /// (1 - t) source(x) + t target(x), differentiable any number of times.
  torch::Tensor operator()(const torch::Tensor& x, double t) const;

 private:
  std::shared_ptr<torch::jit::CompilationUnit> unit_;
};

}  // namespace actswap
