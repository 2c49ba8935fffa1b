// Files whose examples follow each other.
#pragma once

#include <actswap/data/column.h>

#include <string>
#include <vector>

namespace actswap {

/// "shard-{08..11}.tar" is four paths; a path without such a range is itself.
/// @throws UsageError for a range that goes down or has more than 100000 numbers
std::vector<std::string> expand_ranges(const std::string& path);

/// Lets the process keep so many files open as well, as far as the system allows it. Without it a
/// process has 1024, and WebDataset's sets have more shards than that.
void allow_open_files(std::size_t count);

/// The columns of several files, one after the other.
/// @param paths for messages
/// @throws FileError where the files do not hold the same columns
Columns concatenated(std::vector<Columns> files, const std::vector<std::string>& paths);

}  // namespace actswap
