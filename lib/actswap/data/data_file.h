// A file that is read by position, so that only the needed parts of a large file are in memory. It
// is not mapped: a file that shrinks while it is mapped ends the process, and the pages read would
// count as its memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace actswap {

class DataFile {
 public:
  /// @throws FileError where there is no regular file or it cannot be opened
  explicit DataFile(const std::string& path);
  ~DataFile();
  DataFile(const DataFile&) = delete;
  DataFile& operator=(const DataFile&) = delete;

  const std::string& path() const { return path_; }
  /// Bytes, when it was opened.
  std::uint64_t size() const { return size_; }

  /// May be called by several threads.
  /// @throws FileError where the file has fewer bytes or cannot be read, or where somebody has
  ///   written to it since it was opened
  void read(std::uint64_t offset, void* to, std::size_t size) const;
  /// The content of one example's file within it. @throws FileError, also for more than 2^30 bytes
  std::vector<std::uint8_t> bytes(std::uint64_t offset, std::uint64_t size) const;
  /// Up to `size` bytes from the beginning: fewer where the file has no more.
  std::string begin(std::size_t size) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::int64_t modified_ = 0;  // nanoseconds since 1970
};

}  // namespace actswap
