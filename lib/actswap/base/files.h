// Files: read whole, hash, and write so that a file appears complete or not at all.
#pragma once

#include <actswap/base/export.h>

#include <functional>
#include <string>
#include <thread>

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

/// While it lives, what the system holds back of a file that grows, or will be there soon, goes to
/// the disk on a thread of its own, so that the flush of write_atomically finds little to do.
class ACTSWAP_API BackgroundFlush {
 public:
  explicit BackgroundFlush(const std::string& path);

 private:
  std::jthread thread_;  // stopped and waited for when destroyed
};

/// write_atomically for text.
ACTSWAP_API void write_text_atomically(const std::string& path, const std::string& text);

}  // namespace actswap
