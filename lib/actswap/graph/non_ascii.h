// Names that TorchScript writes into a file, but cannot read again.
#pragma once

#include <actswap/archive/zip.h>

#include <string>

namespace actswap {

/// If a name in an archive's code has letters beyond ASCII, which no LibTorch can read: a message
/// with that name and what to do. "" if there is none.
std::string non_ascii_cause(const ZipArchive& archive);

}  // namespace actswap
