// Walks through pickles without running them. LibTorch makes a tensor of whatever storage, sizes
// and strides a pickle states; this compares them with the archive's contents first.
#pragma once

#include <actswap/archive/zip.h>
#include <actswap/base/export.h>

#include <string>
#include <string_view>

namespace actswap {

/// Checks the pickle in `archive`'s record `record`, whose tensors' bytes are in the records
/// "<folder>/<key>": each storage has the record that it names, of its size; each tensor's sizes,
/// strides and offset stay within its storage; values are nested at most kDeepestNesting deep, and
/// do not contain themselves; no operation takes a missing value. It ends without an error at the
/// first operation that LibTorch does not know, where LibTorch ends too.
/// @throws FileError that says where in the record, what was expected and what was found
ACTSWAP_API void check_pickle(const ZipArchive& archive, const ZipRecord& record,
                              const std::string& folder);

}  // namespace actswap
