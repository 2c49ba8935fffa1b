// Work that runs no kernels of LibTorch, on all processors.
#pragma once

#include <cstdint>
#include <functional>

namespace actswap {

/// Calls `work(i)` for each i in [0, count), on as many threads as there are processors. They are
/// plain threads: one that runs a parallel kernel would start a team of OpenMP threads.
/// @throws when all have ended, the exception of the call with the smallest i
void in_threads(std::int64_t count, const std::function<void(std::int64_t)>& work);

}  // namespace actswap
