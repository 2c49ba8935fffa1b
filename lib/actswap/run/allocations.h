// How much of LibTorch's memory a piece of a program takes.
#pragma once

#include <actswap/base/export.h>

#include <cstdint>
#include <functional>

namespace actswap {

/// Bytes of the tensors that the calling thread makes while something runs. (A backward pass by
/// another thread counts as well.)
struct Allocated {
  std::int64_t most = 0;  ///< at a time
  /// In the end, less what was freed of tensors that an earlier call measured.
  std::int64_t left = 0;
};

ACTSWAP_API Allocated allocated(const std::function<void()>& run);

}  // namespace actswap
