// Files: written so that each appears complete or not at all.
#pragma once

#include <actswap/base/export.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <string>
#include <vector>

namespace actswap {

/// @throws FileError where no file could be written there: the folder is missing or not writable,
///   or the path is a folder, a device, a pipe or another special file. A link is followed.
ACTSWAP_API void check_writable(const std::string& path);
/// The file that will be written: `path`, or where it leads as a link. @throws FileError as
/// check_writable does
std::string writable_target(const std::string& path);

/// Calls `write(temporary_path)`, flushes that file to the disk and renames it to `path`. If
/// `write` throws, or the process dies under a supervisor, the temporary file is removed and `path`
/// is as before. The temporary path ends in the same file name, in a new folder beside `path` that
/// nobody else can enter. If `path` is a link, this replaces the file that it leads to; the new
/// file gets the old one's mode, and its owner if the process may set it. If a killed process left
/// its folder behind, the next call for a file beside it removes the folder. A confined process
/// that declared its outputs writes through its supervisor (base/output_broker.h).
/// @throws FileError if check_writable does, or writing, flushing or renaming fails
ACTSWAP_API void write_atomically(const std::string& path,
                                  const std::function<void(const std::string&)>& write);

/// Makes a folder and those above it if they are missing; for a confined process its supervisor
/// does that with the first file. @throws FileError
ACTSWAP_API void make_folder(const std::string& path);

/// Removes a file that write_atomically wrote. @returns false where there is none, or it cannot be
/// removed
ACTSWAP_API bool remove_file(const std::string& path);

/// The end of write_atomically: flushes the file `temporary` and renames it to `path`, which may be
/// a link.
/// @throws FileError where that fails
void move_into_place(const std::string& temporary, const std::string& path);

/// Begins to flush a complete file to the disk, so that write_atomically's flush has little left to
/// do. The returned future waits for the end when destroyed. Its get() throws std::system_error if
/// the flush failed; write_atomically's flush may then no longer see that failure.
[[nodiscard]] ACTSWAP_API std::future<void> flush_in_background(const std::string& path);

/// write_atomically for text.
ACTSWAP_API void write_text_atomically(const std::string& path, const std::string& text);

/// A new file, for writers that must not be interrupted by an error: LibTorch's archive writer ends
/// the process if it cannot write its last bytes. A failure is kept for close().
class ACTSWAP_API OutputFile {
 public:
  /// @throws std::system_error if it cannot be made or exists already
  explicit OutputFile(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// After a failure it does nothing.
  void write(const void* data, std::size_t size) noexcept;
  /// Overwrites what is already written from this byte on.
  void overwrite(std::size_t position, const void* data, std::size_t size) noexcept;
  /// @throws std::system_error with the first failure
  void close();

 private:
  void flush() noexcept;
  void write_through(const char* data, std::size_t size) noexcept;
  void seek(std::int64_t offset, int whence) noexcept;

  int descriptor_ = -1;
  int error_ = 0;
  std::vector<char> buffer_ = {};
};

}  // namespace actswap
