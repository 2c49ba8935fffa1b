// Time that has passed.
#pragma once

#include <chrono>

namespace actswap {

inline double milliseconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

inline double seconds_since(std::chrono::steady_clock::time_point begin) {
  return milliseconds_since(begin) / 1000.0;
}

}  // namespace actswap
