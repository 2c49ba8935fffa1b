// Numbers that are the same on every machine.
#pragma once

#include <cstdint>

namespace actswap {

/// splitmix64 (Steele, Lea, Flood 2014): its whole state is a counter, so that a stream can be
/// started from seed and epoch alone, and it is the same on every machine.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t state) : state_(state) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// Uniform in [0, bound): draws from the incomplete last stretch are thrown away.
  std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t first_fair = (0 - bound) % bound;
    for (;;) {
      const std::uint64_t draw = next();
      if (draw >= first_fair) {
        return draw % bound;
      }
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace actswap
