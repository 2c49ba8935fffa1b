// The blend as an operator of LibTorch:
//
//   actswap::blend(Tensor x, float t, str source, str target) -> Tensor
//
// It is pure: no argument is written to, and the result is new memory of x's type and layout.
#pragma once

#include <actswap/base/export.h>

#include <torch/types.h>

#include <string>

namespace actswap {

/// out = (1 - t) source(x) + t target(x), the source alone for t <= 0 and the target for t >= 1.
/// Calls the operator.
///
/// If both rows have a kernel (see BlendKernel) and x is float32, bfloat16, float16 or float64 on
/// the CPU, forward and backward take one pass over memory each and save only x. Stock ATen
/// operators serve all else: other devices and types, other rows, and derivatives of second order.
///
/// @param x of any shape, strides and memory format
/// @param t any number; below 0 it counts as 0, above 1 as 1
/// @param source, target as resolve() reads them: "mish", "leaky_relu(0.1)"
/// @throws UsageError as resolve() does
ACTSWAP_API torch::Tensor blend(const torch::Tensor& x, double t, const std::string& source,
                                const std::string& target);

}  // namespace actswap
