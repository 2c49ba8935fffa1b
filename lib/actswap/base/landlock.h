// Landlock, Linux's access control that a process puts on itself. It has no library: three system
// calls.
#pragma once

#include <string>
#include <vector>

namespace actswap {

/// Of this kernel; 0 where it has none, or where it is switched off.
int landlock_abi();

/// From now on this thread, and those that it starts, may read below `readable` (and run code
/// there), write below `writable`, and open no TCP connection unless `network`. Missing paths are
/// skipped.
/// @throws std::system_error if the kernel refuses
void restrict_files(const std::vector<std::string>& readable,
                    const std::vector<std::string>& writable, bool network);

}  // namespace actswap
