// Names that TorchScript writes into a file, but cannot read again.
#pragma once

#include <caffe2/serialize/inline_container.h>

#include <string>

namespace actswap {

/// Why an archive cannot be loaded where a name in its code has letters beyond ASCII, which no
/// LibTorch reads: that name, and what to do. "" where there is none.
std::string non_ascii_cause(caffe2::serialize::PyTorchStreamReader& reader);

}  // namespace actswap
