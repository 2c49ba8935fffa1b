// Files: written so that each appears complete or not at all.
#pragma once

#include <actswap/base/export.h>

#include <cstddef>
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

/// Calls `write(temporary_path)`, flushes what it wrote to the disk and renames it to `path`. Where
/// `write` throws, or the process dies under a supervisor, what it wrote is removed and `path` is
/// as it was. The temporary path ends in the same file name, in a new folder beside `path` that
/// nobody else can enter. Where `path` is a link, the file that it leads to is replaced; a file
/// that is replaced hands on its mode, and its owner where the process may set it. A folder that a
/// process left behind which was killed is removed by the next call for a file beside it. A
/// confined process that declared its outputs writes by way of its supervisor
/// (base/output_broker.h).
/// @throws FileError where check_writable does, or writing, flushing or renaming fails
ACTSWAP_API void write_atomically(const std::string& path,
                                  const std::function<void(const std::string&)>& write);

/// Makes a folder and those above it, where they are missing; for a confined process its supervisor
/// does that with the first file. @throws FileError
ACTSWAP_API void make_folder(const std::string& path);

/// Removes a file that write_atomically wrote. @returns false where there is none, or it cannot be
/// removed
ACTSWAP_API bool remove_file(const std::string& path);

/// The end of write_atomically: flushes the file `temporary` and renames it to `path`, which may be
/// a link.
/// @throws FileError where that fails
void move_into_place(const std::string& temporary, const std::string& path);

/// Begins to write to the disk what the system holds back of a file that is complete, so that the
/// flush of write_atomically finds little to do. What it returns waits for the end when destroyed;
/// its get() throws std::system_error where the flush failed, which the flush of write_atomically
/// may then no longer see.
[[nodiscard]] ACTSWAP_API std::future<void> flush_in_background(const std::string& path);

/// write_atomically for text.
ACTSWAP_API void write_text_atomically(const std::string& path, const std::string& text);

/// A new file, for writers that must not be interrupted by an error: LibTorch's archive writer ends
/// the process where its last bytes cannot be written. What fails is kept for close().
class ACTSWAP_API OutputFile {
 public:
  /// @throws std::system_error where it cannot be made, or is there
  explicit OutputFile(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// After a failure it does nothing.
  void write(const void* data, std::size_t size) noexcept;
  /// @throws std::system_error with the first failure
  void close();

 private:
  void flush() noexcept;
  void write_through(const char* data, std::size_t size) noexcept;

  int descriptor_ = -1;
  int error_ = 0;
  std::vector<char> buffer_ = {};
};

}  // namespace actswap
