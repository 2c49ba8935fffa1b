// Finds the loops (loops-inl.h) for the rows, and divides memory for them. This file is compiled
// once for each instruction set.
#include <actswap/kernel/blend_float.h>

#include <algorithm>

// Highway 1.0's IfNegativeThenElse is wrong for SSSE3, and hardly any processor stops there. SVE's
// vectors cannot stand in structs; its processors have NEON.
#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "actswap/kernel/blend_float.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <actswap/kernel/convert-inl.h>
#include <actswap/kernel/loops-inl.h>

HWY_BEFORE_NAMESPACE();
namespace actswap::HWY_NAMESPACE {
namespace {

// How many elements are done at a time where buffers are needed.
constexpr std::size_t kBlock = 1024;

// Rows by name --------------------------------------------------------------------------------

template <class Visit>
void visit_source(const BlendKernel::Function& function, Visit visit) {
  const float* parameters = function.parameters.data();
  switch (function.row) {
#define ACTSWAP_ROW(name, type) \
  case KernelRow::name:         \
    visit(type(parameters));    \
    break;
    ACTSWAP_KERNEL_SOURCES(ACTSWAP_ROW)
  }
}

template <class Visit>
void visit_target(const BlendKernel::Function& function, Visit visit) {
  const float* parameters = function.parameters.data();
  switch (function.row) {
    ACTSWAP_KERNEL_TARGETS(ACTSWAP_ROW)
#undef ACTSWAP_ROW
    default:
      break;  // BlendKernel::find makes no others
  }
}

void forward_floats(const BlendSpan& span, const float* x, float* out, std::size_t n) {
  if (span.t <= 0.0F || span.t >= 1.0F) {
    return visit_source(span.t <= 0.0F ? span.source : span.target,
                        [&](const auto& row) { values(row, x, out, n); });
  }
  visit_source(span.source, [&](const auto& source) {
    visit_target(span.target,
                 [&](const auto& target) { blend_values(source, target, span.t, x, out, n); });
  });
}

void backward_floats(const BlendSpan& span, const float* x, const float* gradient, float* out,
                     std::size_t n) {
  if (span.t <= 0.0F || span.t >= 1.0F) {
    return visit_source(span.t <= 0.0F ? span.source : span.target,
                        [&](const auto& row) { gradients(row, x, gradient, out, n); });
  }
  visit_source(span.source, [&](const auto& source) {
    visit_target(span.target, [&](const auto& target) {
      blend_gradients(source, target, span.t, x, gradient, out, n);
    });
  });
}

// Blocks --------------------------------------------------------------------------------------

// Elements of other types are converted a block at a time.
const float* read(Element element, const void* from, std::size_t begin, std::size_t n,
                  float* buffer) {
  if (element == Element::float32) {
    return static_cast<const float*>(from) + begin;
  }
  const auto* bits = static_cast<const std::uint16_t*>(from) + begin;
  if (element == Element::bfloat16) {
    widen<Bfloat16>(bits, buffer, n);
  } else {
    widen<Float16>(bits, buffer, n);
  }
  return buffer;
}

float* place_for(Element element, void* to, std::size_t begin, float* buffer) {
  return element == Element::float32 ? static_cast<float*>(to) + begin : buffer;
}

void write(Element element, const float* buffer, std::size_t begin, std::size_t n, void* to) {
  if (element == Element::bfloat16) {
    narrow<Bfloat16>(buffer, static_cast<std::uint16_t*>(to) + begin, n);
  } else if (element == Element::float16) {
    narrow<Float16>(buffer, static_cast<std::uint16_t*>(to) + begin, n);
  }
}

// Calls work(done, n) for blocks, or once where nothing needs a buffer.
template <class Work>
void for_blocks(const BlendSpan& span, Work work) {
  const std::size_t block = span.element == Element::float32 ? span.size : kBlock;
  for (std::size_t done = 0; done < span.size; done += block) {
    work(done, std::min(block, span.size - done));
  }
}

void forward(const BlendSpan& span, const void* x, void* out) {
  alignas(64) float x_buffer[kBlock];
  alignas(64) float out_buffer[kBlock];
  for_blocks(span, [&](std::size_t done, std::size_t n) {
    const float* from = read(span.element, x, done, n, x_buffer);
    float* to = place_for(span.element, out, done, out_buffer);
    forward_floats(span, from, to, n);
    write(span.element, to, done, n, out);
  });
}

void backward(const BlendSpan& span, const void* x, const void* grad_out, void* grad_x) {
  alignas(64) float x_buffer[kBlock];
  alignas(64) float gradient_buffer[kBlock];
  alignas(64) float out_buffer[kBlock];
  for_blocks(span, [&](std::size_t done, std::size_t n) {
    const float* from = read(span.element, x, done, n, x_buffer);
    const float* gradient = read(span.element, grad_out, done, n, gradient_buffer);
    float* to = place_for(span.element, grad_x, done, out_buffer);
    backward_floats(span, from, gradient, to, n);
    write(span.element, to, done, n, grad_x);
  });
}

const char* instruction_set() {
  return hwy::TargetName(HWY_TARGET);
}

}  // namespace
}  // namespace actswap::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace actswap {

HWY_EXPORT(forward);
HWY_EXPORT(backward);
HWY_EXPORT(instruction_set);

void forward_float(const BlendSpan& span, const void* x, void* out) {
  HWY_DYNAMIC_DISPATCH(forward)(span, x, out);
}

void backward_float(const BlendSpan& span, const void* x, const void* grad_out, void* grad_x) {
  HWY_DYNAMIC_DISPATCH(backward)(span, x, grad_out, grad_x);
}

const char* kernel_instruction_set() {
  return HWY_DYNAMIC_DISPATCH(instruction_set)();
}

}  // namespace actswap
#endif
