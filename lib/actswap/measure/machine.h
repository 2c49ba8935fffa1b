// The machine that something was measured on.
#pragma once

#include <actswap/base/export.h>

#include <string>

namespace actswap {

struct Machine {
  std::string processor = {};  ///< its name; empty where the system does not say
  unsigned processors = 0;     ///< online
  int threads = 0;             ///< on which LibTorch runs a kernel
  /// Average number of processes that ran or waited for a processor in the last minute; negative if
  /// the system does not say.
  double load = -1.0;
};

/// As it is now.
ACTSWAP_API Machine this_machine();

}  // namespace actswap
