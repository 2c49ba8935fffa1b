// A blend out of stock ATen operators, for what the kernels do not do.
#pragma once

#include <actswap/activation/activation.h>

#include <torch/script.h>

#include <cstdint>
#include <memory>
#include <optional>

namespace actswap {

/// a, d and b of a calibrated target, each of shape [channels] or absent.
struct CalibrationTensors {
  std::optional<torch::Tensor> a;
  std::optional<torch::Tensor> d;
  std::optional<torch::Tensor> b;
  std::int64_t channel_dim = 1;

  bool any() const { return a || d || b; }
};

/// Two rows as TorchScript functions.
class ComposedBlend {
 public:
  ComposedBlend(const ActivationSpec& source, const ActivationSpec& target);

  /// (1 - t) source(x) + t (a target(x + d) + b), differentiable any number of times.
  torch::Tensor operator()(const torch::Tensor& x, double t,
                           const CalibrationTensors& calibration) const;

 private:
  std::shared_ptr<torch::jit::CompilationUnit> unit_;
};

}  // namespace actswap
