// The vector kernels behind BlendKernel, for every element but float64.
#pragma once

#include <actswap/kernel/blend_kernel.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace actswap {

/// What one call of a kernel works on. Without channels it is elements 0 to size - 1; with channels
/// the first is element `begin` of the whole, so that it finds its channel.
struct BlendSpan {
  BlendKernel::Function source;
  BlendKernel::Function target;
  float t;
  const Channels* channels;
  Element element;
  std::size_t begin;
  std::size_t size;
};

/// Sums over elements, one for each entry of Channels: of g target(x + d), g target'(x + d) and g,
/// where g is the gradient of the output.
struct EntrySums {
  std::vector<double> value;
  std::vector<double> slope;
  std::vector<double> gradient;

  explicit EntrySums(std::int64_t entries)
      : value(static_cast<std::size_t>(entries)), slope(value.size()), gradient(value.size()) {}
};

void forward_float(const BlendSpan& span, const void* x, void* out);
/// `sums` has Channels::entries() entries, or is null.
void backward_float(const BlendSpan& span, const void* x, const void* grad_out, void* grad_x,
                    EntrySums* sums);

}  // namespace actswap
