// Which rows of the activation table have a vector kernel: the one list. A row is named as in the
// table, or by an alias that has a kernel of its own; beside it stands its type in sources-inl.h or
// targets-inl.h.
#pragma once

/// Rows that a blend may go to.
#define ACTSWAP_KERNEL_TARGETS(ROW) \
  ROW(relu, Relu)                   \
  ROW(hard_mish, HardMish)          \
  ROW(hardswish, Hardswish)         \
  ROW(relu6, Relu6)                 \
  ROW(leaky_relu, LeakyRelu)

/// Rows that a blend may start from: these, and the targets.
#define ACTSWAP_KERNEL_SOURCES(ROW) \
  ROW(silu, Silu)                   \
  ROW(swish, Swish)                 \
  ROW(mish, Mish)                   \
  ROW(gelu, Gelu)                   \
  ROW(gelu_tanh, GeluTanh)          \
  ROW(aptx, Aptx)                   \
  ROW(aptx_mish, AptxMish)          \
  ROW(swish_mish, SwishMish)        \
  ROW(elu, Elu)                     \
  ROW(selu, Selu)                   \
  ROW(celu, Celu)                   \
  ROW(softplus, Softplus)           \
  ROW(tanh, Tanh)                   \
  ROW(sigmoid, Sigmoid)             \
  ACTSWAP_KERNEL_TARGETS(ROW)

namespace actswap {

enum class KernelRow {
#define ACTSWAP_ROW(name, type) name,
  ACTSWAP_KERNEL_SOURCES(ACTSWAP_ROW)
#undef ACTSWAP_ROW
};

}  // namespace actswap
