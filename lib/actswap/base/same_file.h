// Outputs that would take the place of what they are made from.
#pragma once

#include <actswap/base/export.h>

#include <string>

namespace actswap {

/// Checks that an output leaves a file that is read as it is: the original, or data. Both may be
/// one file by the same name, by another path, a link or a hard link. An empty path, or one that
/// leads nowhere, is no file.
/// @throws UsageError
ACTSWAP_API void check_not_overwritten(const std::string& output, const std::string& input);

}  // namespace actswap
