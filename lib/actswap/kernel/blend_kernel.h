// One pass over memory for a blend of two rows, forward and backward, without LibTorch.
#pragma once

#include <actswap/activation/activation.h>
#include <actswap/base/export.h>
#include <actswap/kernel/rows.h>

#include <array>
#include <cstdint>
#include <optional>

namespace actswap {

/// The type of numbers in memory. Kernels compute with bfloat16 and float16 in float32.
enum class Element { float32, bfloat16, float16, float64 };

/// Whether blends may start from a row in a kernel, whatever its parameters.
ACTSWAP_API bool has_source_kernel(const Activation& row);
/// Whether blends may go to a row in a kernel.
ACTSWAP_API bool has_target_kernel(const Activation& row);

/// out = (1 - t) source(x) + t target(x), and its derivative. For t <= 0 it is the source alone,
/// for t >= 1 the target; in between it computes both, and values that are not finite follow the
/// formula. Derivatives at kinks are those from the left.
///
/// float32 is vector code, chosen for the processor when it first runs: AVX-512, AVX2, SSE4, NEON.
/// bench/kernel/ulp.cpp measures how exact every row is. float64 is the table's own functions.
class ACTSWAP_API BlendKernel {
 public:
  /// Nothing if one of the rows has no kernel, or none for these parameters.
  static std::optional<BlendKernel> find(const ActivationSpec& source,
                                         const ActivationSpec& target);

  /// Maps elements [begin, end) of x to those of out, which may be x. Calls for parts of one array
  /// may run at the same time, and the division into parts changes no result.
  void forward(Element element, double t, const void* x, void* out, std::int64_t begin,
               std::int64_t end) const;

  /// grad_x = grad_out d out/d x, for elements [begin, end). grad_x may be x or grad_out.
  void backward(Element element, double t, const void* x, const void* grad_out, void* grad_x,
                std::int64_t begin, std::int64_t end) const;

  /// A row with its parameters in single precision.
  struct Function {
    KernelRow row;
    std::array<float, 3> parameters;
  };
  const Function& source() const { return source_; }
  const Function& target() const { return target_; }

 private:
  BlendKernel(Function source, Function target, ActivationSpec exact_source,
              ActivationSpec exact_target);

  Function source_;
  Function target_;
  ActivationSpec exact_source_;
  ActivationSpec exact_target_;
};

/// The processor's instruction set that the kernels use: "AVX3" (which is AVX-512), "AVX2", ...
ACTSWAP_API const char* kernel_instruction_set();

}  // namespace actswap
