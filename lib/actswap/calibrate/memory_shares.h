// How a calibration divides the memory that it may take.
#pragma once

#include <algorithm>
#include <cstdint>

namespace actswap {

/// In bytes. One batch runs, and one layer is solved for, at a time.
struct MemoryShares {
  std::int64_t kept = 0;        ///< values of both models from which later steps continue
  std::int64_t regression = 0;  ///< the sums of one layer
  std::int64_t batch = 0;       ///< the run of one batch meanwhile
};

/// What is left of the granted memory beside LibTorch itself: its libraries, what its kernels and
/// the code of models take. To be used by a step that takes all that it is granted.
inline std::int64_t beside_libtorch(std::int64_t memory) {
  return memory - std::min(memory / 8, std::int64_t{1} << 28);
}

/// @param inputs bytes of the inputs, which stay in memory all the time
inline MemoryShares share_out(std::int64_t memory, std::int64_t inputs) {
  // Layers of some hundred features can be solved for whatever is granted.
  constexpr std::int64_t kLeast = std::int64_t{1} << 24;
  // While a batch advances, its kept values exist twice, and a run's memory comes on top of the
  // values that a step reads; the rest is for that.
  return {.kept = std::max<std::int64_t>(0, memory / 2 - inputs),
          .regression = std::max(kLeast, memory / 4),
          .batch = std::max(kLeast, memory / 16)};
}

}  // namespace actswap
