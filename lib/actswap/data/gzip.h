// Files that may be compressed by gzip.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

struct z_stream_s;  // NOLINT(readability-identifier-naming): zlib's name

namespace actswap {

/// Reads a file as it is, or decompresses it if the first two bytes are gzip's. zlib's own gzread
/// does not check the checksum if it comes after all the bytes asked for.
class GzipFile {
 public:
  /// @throws FileError where it cannot be opened
  explicit GzipFile(const std::string& path);
  ~GzipFile();
  GzipFile(const GzipFile&) = delete;
  GzipFile& operator=(const GzipFile&) = delete;

  /// Up to `size` bytes; fewer only at the end, after comparing gzip's checksum and length.
  /// @throws FileError where the file is truncated or damaged, or cannot be read
  std::size_t read(char* to, std::size_t size);

  /// The most bytes that it can hold: gzip makes a file smaller by a factor of 1032 at most.
  std::uint64_t most_bytes() const;

 private:
  std::size_t read_file(char* to, std::size_t size);
  void fill();

  std::string path_;
  std::ifstream file_;
  std::uint64_t size_on_disk_ = 0;
  std::vector<char> buffer_ = {};
  std::unique_ptr<z_stream_s, void (*)(z_stream_s*)> stream_;  // none: a plain file
  bool is_inside_ = false;                                     // of a gzip member
};

}  // namespace actswap
