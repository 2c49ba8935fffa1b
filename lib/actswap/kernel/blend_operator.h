// The blend as an operator of LibTorch:
//
//   actswap::blend(Tensor x, float t, str source, str target,
//                  Tensor? a=None, Tensor? d=None, Tensor? b=None, int channel_dim=1) -> Tensor
//
// It is pure: no argument is written to, and the result is new memory of x's type and layout.
#pragma once

#include <actswap/base/export.h>

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace actswap {

/// out = (1 - t) source(x) + t (a target(x + d) + b), the source alone for t <= 0 and the target
/// for t >= 1. Calls the operator.
///
/// Where both rows have a kernel (see BlendKernel) and x is float32, bfloat16, float16 or float64
/// on the CPU, forward and backward take one pass over memory each, and nothing is saved but x, a,
/// d and b. Everything else is composed of stock ATen operators: other devices and types, other
/// rows, and derivatives of second order.
///
/// @param x of any shape, strides and memory format
/// @param source, target as resolve() reads them: "mish", "leaky_relu(0.1)"
/// @param a, d, b one number for each channel of x, of shape [x.size(channel_dim)]; 1, 0 and 0
/// where
///     absent
/// @throws UsageError as resolve() does; c10::Error for a, d or b of another shape
ACTSWAP_API torch::Tensor blend(const torch::Tensor& x, double t, const std::string& source,
                                const std::string& target,
                                const std::optional<torch::Tensor>& a = {},
                                const std::optional<torch::Tensor>& d = {},
                                const std::optional<torch::Tensor>& b = {},
                                std::int64_t channel_dim = 1);

}  // namespace actswap
