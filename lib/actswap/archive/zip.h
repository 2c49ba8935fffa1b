// Zip archives. We read them before LibTorch does, because it checks neither whether the records
// lie within the file nor their checksums.
#pragma once

#include <actswap/base/export.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace actswap {

/// One file in the archive.
struct ZipRecord {
  std::string name;               ///< without the folder that all records are in
  std::uint64_t offset = 0;       ///< of its bytes in the file
  std::uint64_t stored_size = 0;  ///< bytes in the file
  std::uint64_t size = 0;         ///< bytes of the content
  std::uint32_t crc = 0;          ///< CRC-32 of the content
  bool is_deflated = false;       ///< compressed; otherwise stored as it is
};

/// The archive's directory, checked: the records are in the file, one after the other, stored or
/// deflated, each with its own name. Their content is checked when it is read. May be used by
/// several threads.
class ACTSWAP_API ZipArchive {
 public:
  /// @throws FileError that names the file: it cannot be read, or its directory is damaged
  explicit ZipArchive(const std::string& path);
  /// An archive in memory, which has to stay there.
  /// @param bytes the whole archive
  /// @param name what errors call it
  ZipArchive(std::string_view bytes, const std::string& name);
  ~ZipArchive();
  ZipArchive(const ZipArchive&) = delete;
  ZipArchive& operator=(const ZipArchive&) = delete;

  /// The records by name; only those in the same folder as the first one, as in LibTorch.
  const std::map<std::string, ZipRecord, std::less<>>& records() const { return records_; }
  /// nullptr: there is none of that name.
  const ZipRecord* find(std::string_view name) const;

  /// The content. @throws FileError where it is damaged
  std::string read(const ZipRecord& record) const;
  /// Reads the content and compares its checksum. @throws FileError where it is damaged
  void check(const ZipRecord& record) const;

  /// For messages, in quotes.
  std::string name() const;
  /// FileError: "'x.pt' is damaged: ...".
  [[noreturn]] void fail(const std::string& what) const;

 private:
  class Source;
  struct Directory;
  using Sink = std::function<void(const char*, std::size_t)>;

  void read_directory();
  Directory find_directory() const;
  void add_record(ZipRecord record, std::uint64_t header);
  void check_order() const;
  void read_content(const ZipRecord& record, const Sink& sink) const;
  void read_stored(const ZipRecord& record, const Sink& sink) const;
  void read_deflated(const ZipRecord& record, const Sink& sink) const;

  std::string name_;
  std::unique_ptr<Source> source_;
  bool has_checksums_ = false;  // PyTorch can write without: then all of them are 0
  std::map<std::string, ZipRecord, std::less<>> records_ = {};
};

}  // namespace actswap
