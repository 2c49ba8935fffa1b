// Files whose examples follow each other.
#pragma once

#include <actswap/data/column.h>

#include <string>
#include <vector>

namespace actswap {

/// "shard-{08..11}.tar" is four paths; a path without such a range is itself.
/// @throws UsageError for a range that goes down or has more than 100000 numbers
std::vector<std::string> expand_ranges(const std::string& path);

/// Lets the process keep this many more files open, if the system allows it. Otherwise a process
/// has 1024, fewer than the shards of WebDataset's sets.
void allow_open_files(std::size_t count);

/// The columns of several files, one after the other.
/// @param paths for messages
/// @throws FileError where the files do not hold the same columns
Columns concatenated(std::vector<Columns> files, const std::vector<std::string>& paths);

}  // namespace actswap
