// The vector kernels behind BlendKernel, for every element but float64.
#pragma once

#include <actswap/kernel/blend_kernel.h>

#include <cstddef>

namespace actswap {

/// The work of one kernel call: elements 0 to size - 1 of the given memory.
struct BlendSpan {
  BlendKernel::Function source;
  BlendKernel::Function target;
  float t;
  Element element;
  std::size_t size;
};

void forward_float(const BlendSpan& span, const void* x, void* out);
void backward_float(const BlendSpan& span, const void* x, const void* grad_out, void* grad_x);

}  // namespace actswap
