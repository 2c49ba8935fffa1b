// Pickles, walked without being run. LibTorch makes a tensor of any storage, sizes and strides that
// a pickle says; what it says is compared here with what the archive holds, before.
#pragma once

#include <actswap/archive/zip.h>
#include <actswap/base/export.h>

#include <string>
#include <string_view>

namespace actswap {

/// Checks the pickle in `archive`'s record `record`, whose tensors' bytes are in the records
/// "<folder>/<key>": each storage has the record that it names, of its size; each tensor's sizes,
/// strides and offset stay within its storage; values are nested at most kDeepestNesting deep, and
/// do not contain themselves; no operation takes what is not there. It ends without an error at the
/// first operation that LibTorch does not know, where LibTorch ends too.
/// @throws FileError that says where in the record, what was expected and what was found
ACTSWAP_API void check_pickle(const ZipArchive& archive, const ZipRecord& record,
                              const std::string& folder);

}  // namespace actswap
