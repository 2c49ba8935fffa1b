// Whether the record of a conversion can be written, found out before anything long begins.
#pragma once

#include <actswap/base/export.h>

#include <string>

namespace actswap {

/// Leaves nothing behind: the folder is made with the first record.
/// @param directory where run.json goes; empty: no record is written
/// @param output the file that the conversion writes
/// @throws UsageError if the two would overwrite each other; FileError if the folder cannot be made
///   or written to
ACTSWAP_API void check_run_directory(const std::string& directory, const std::string& output);

}  // namespace actswap
