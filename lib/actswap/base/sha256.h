// The hash by which a file is told from another.
#pragma once

#include <actswap/base/export.h>

#include <string>

namespace actswap {

/// SHA-256 of a file, lower-case hex. @throws FileError
ACTSWAP_API std::string file_sha256(const std::string& path);

}  // namespace actswap
