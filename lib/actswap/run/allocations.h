// How much of LibTorch's memory a piece of a program takes.
#pragma once

#include <actswap/base/export.h>

#include <cstdint>
#include <functional>

namespace actswap {

/// The most bytes that tensors made by the calling thread while this runs hold at a time. (A
/// backward pass by another thread counts as well.)
ACTSWAP_API std::int64_t most_allocated(const std::function<void()>& run);

}  // namespace actswap
