// What the C library does with memory that is freed.
#pragma once

#include <actswap/base/export.h>

namespace actswap {

/// Keeps freed memory in this process for what asks next, where glibc would give large blocks back
/// to the system. Each training step frees and takes the same tensors, and fresh pages cost more
/// than an activation does. To be called before memory is taken; for a program that trains, not
/// for one that shares its machine.
/// @return whether the C library can do so
ACTSWAP_API bool keep_freed_memory();

}  // namespace actswap
