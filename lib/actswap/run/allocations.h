// What a piece of a program takes of LibTorch's memory.
#pragma once

#include <actswap/base/export.h>

#include <cstdint>
#include <functional>

namespace actswap {

/// The most bytes that tensors made by the calling thread hold at a time while this runs, beside
/// what was there before. (A backward pass by another thread counts as well.)
ACTSWAP_API std::int64_t most_allocated(const std::function<void()>& run);

}  // namespace actswap
