// Zip archives for tests: written record by record, with checksums that are right.
#pragma once

#include <actswap/archive/zip.h>
#include <zlib.h>

#include <cstdint>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace actswap {

using Entries = std::vector<std::pair<std::string, std::string>>;

inline std::string little_endian(std::uint64_t value, int width) {
  std::string bytes;
  for (int i = 0; i < width; ++i) {
    bytes += static_cast<char>(value >> (8 * i));
  }
  return bytes;
}

/// Records are stored, in a folder as LibTorch has it.
inline std::string zip_of(const Entries& entries, const std::string& folder = "archive/") {
  std::string file;
  std::string directory;
  for (const auto& [name, content] : entries) {
    const auto offset = file.size();
    const auto crc =
        crc32_z(0, reinterpret_cast<const unsigned char*>(content.data()), content.size());
    const auto common = std::string(8, '\0') + little_endian(crc, 4) +
                        little_endian(content.size(), 4) + little_endian(content.size(), 4) +
                        little_endian(folder.size() + name.size(), 2) + little_endian(0, 2);
    const auto path = folder + name;
    file += "PK\x03\x04" + little_endian(20, 2) + common + path + content;
    directory += "PK\x01\x02" + little_endian(20, 2) + little_endian(20, 2) + common +
                 std::string(10, '\0') + little_endian(offset, 4) + path;
  }
  const auto begin = file.size();
  const auto count = little_endian(entries.size(), 2);
  file += directory + "PK\x05\x06" + little_endian(0, 4) + count + count +
          little_endian(directory.size(), 4) + little_endian(begin, 4) + little_endian(0, 2);
  return file;
}

inline Entries entries_of(const std::string& path) {
  const ZipArchive archive(path);
  Entries entries;
  for (const auto& [name, record] : archive.records()) {
    entries.emplace_back(name, archive.read(record));
  }
  return entries;
}

/// A copy of an archive in which each record's content went through `change`.
inline void rewrite_archive(
    const std::string& from, const std::string& to,
    const std::function<void(const std::string& name, std::string& content)>& change) {
  auto entries = entries_of(from);
  for (auto& [name, content] : entries) {
    change(name, content);
  }
  std::ofstream(to, std::ios::binary) << zip_of(entries);
}

}  // namespace actswap
