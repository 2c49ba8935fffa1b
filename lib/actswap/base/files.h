// Files: read whole, hash, and write so that a file appears complete or not at all.
#pragma once

#include <actswap/base/export.h>

#include <functional>
#include <future>
#include <string>

namespace actswap {

/// SHA-256 of a file, lower-case hex. @throws FileError
ACTSWAP_API std::string file_sha256(const std::string& path);

/// @throws FileError where no file could be written there: the folder is missing or not writable,
/// or
///   the path is a folder itself.
ACTSWAP_API void check_writable(const std::string& path);

/// Calls `write(temporary_path)`, flushes what it wrote to the disk and renames it to `path`. Where
/// `write` throws, what it wrote is removed and `path` is as it was. The temporary path ends in the
/// same file name (in a folder of its own beside it), which some formats store.
/// @throws FileError where the folder is missing or not writable
ACTSWAP_API void write_atomically(const std::string& path,
                                  const std::function<void(const std::string&)>& write);

/// Begins to write to the disk what the system holds back of a file that is complete, so that the
/// flush of write_atomically finds little to do. What it returns waits for the end when destroyed.
[[nodiscard]] ACTSWAP_API std::future<void> flush_in_background(const std::string& path);

/// write_atomically for text.
ACTSWAP_API void write_text_atomically(const std::string& path, const std::string& text);

}  // namespace actswap
