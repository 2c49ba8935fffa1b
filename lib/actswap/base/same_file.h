// Refuses outputs that would overwrite the files they are made from.
#pragma once

#include <actswap/base/export.h>

#include <string>

namespace actswap {

/// Checks that an output does not overwrite a file that is read: the original, or data. Both may be
/// the same file by name, by another path, a link or a hard link. An empty path, or one that leads
/// nowhere, is no file.
/// @throws UsageError
ACTSWAP_API void check_not_overwritten(const std::string& output, const std::string& input);

}  // namespace actswap
