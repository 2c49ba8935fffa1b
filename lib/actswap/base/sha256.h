// The hash that identifies a file.
#pragma once

#include <actswap/base/export.h>

#include <string>
#include <string_view>

namespace actswap {

/// SHA-256 of a file, lower-case hex. @throws FileError
ACTSWAP_API std::string file_sha256(const std::string& path);

/// The same of these bytes.
ACTSWAP_API std::string sha256(std::string_view bytes);

}  // namespace actswap
