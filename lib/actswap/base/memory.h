// Controls what the C library does with freed memory.
#pragma once

#include <actswap/base/export.h>

#include <cstdint>

namespace actswap {

/// Keeps freed memory in this process for later use, while glibc would return large blocks to the
/// system. Each training step frees and takes the same tensors, and fresh pages cost more than an
/// activation does. To be called before memory is taken, by a program that trains, not by one that
/// shares its machine.
/// @return whether the C library can do so
ACTSWAP_API bool keep_freed_memory();

/// Gives freed memory back to the system, including gaps between used blocks. Does nothing if the C
/// library cannot do so.
ACTSWAP_API void give_back_freed_memory();

/// Bytes of this process that are in memory; 0 where the system does not say.
ACTSWAP_API std::int64_t resident_memory();

}  // namespace actswap
