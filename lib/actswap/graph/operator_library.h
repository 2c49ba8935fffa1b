// Operators that models use and LibTorch does not have.
#pragma once

#include <actswap/base/export.h>

#include <string>

namespace actswap {

/// Loads a shared library that registers operators, such as libtorchvision.so, into this process
/// for good. Models that use them can be loaded afterwards.
/// @param path of a file; a name without a folder that is no file here is looked for where the
///   system looks for libraries
/// @throws FileError where it cannot be loaded
ACTSWAP_API void load_operator_library(const std::string& path);

}  // namespace actswap
