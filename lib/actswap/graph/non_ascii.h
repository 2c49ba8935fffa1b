// Names that TorchScript writes into a file, but cannot read again.
#pragma once

#include <actswap/archive/zip.h>

#include <string>

namespace actswap {

/// Why an archive cannot be loaded where a name in its code has letters beyond ASCII, which no
/// LibTorch reads: that name, and what to do. "" where there is none.
std::string non_ascii_cause(const ZipArchive& archive);

}  // namespace actswap
