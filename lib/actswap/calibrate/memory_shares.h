// What the memory that a calibration may take is for.
#pragma once

#include <algorithm>
#include <cstdint>

namespace actswap {

/// In bytes. One batch runs, and one layer is solved for, at a time.
struct MemoryShares {
  std::int64_t kept = 0;        ///< of both models, for the steps to go on from
  std::int64_t regression = 0;  ///< the sums of one layer
  std::int64_t batch = 0;       ///< what a run of one batch takes meanwhile
};

/// @param inputs bytes of the inputs, which are there all the time
inline MemoryShares share_out(std::int64_t memory, std::int64_t inputs) {
  // Layers of some hundred features can be solved for whatever is granted.
  constexpr std::int64_t kLeast = std::int64_t{1} << 24;
  // What is kept of a batch is there twice while it goes on, and what a step looks at is held
  // beside what a run takes; the rest is for that.
  return {.kept = std::max<std::int64_t>(0, memory / 2 - inputs),
          .regression = std::max(kLeast, memory / 4),
          .batch = std::max(kLeast, memory / 16)};
}

}  // namespace actswap
