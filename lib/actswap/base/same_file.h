// Outputs that would take the place of what they are made from.
#pragma once

#include <actswap/base/export.h>

#include <string>

namespace actswap {

/// @throws UsageError where both paths lead to one file: by the same name, another path, a link or
/// a
///   hard link. A path that is empty or leads nowhere is no file.
ACTSWAP_API void check_not_original(const std::string& output, const std::string& original);

}  // namespace actswap
