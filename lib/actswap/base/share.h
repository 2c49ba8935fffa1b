// How several processes share things out.
#pragma once

#include <cstdint>

namespace actswap {

/// One of `count` equal parts, by its number from 0.
struct Share {
  int number = 0;
  int count = 1;

  /// This part of `things` begins here, and ends where the next begins. Parts differ by one at
  /// most.
  std::int64_t begin(std::int64_t things) const { return things * number / count; }
  std::int64_t end(std::int64_t things) const { return things * (number + 1) / count; }
};

}  // namespace actswap
