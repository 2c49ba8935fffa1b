// The tensors of an archive that LibTorch wrote, without reading them into memory.
#pragma once

#include <actswap/archive/zip.h>

#include <torch/csrc/jit/serialization/storage_context.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace actswap {

/// A file's pages, mapped privately: a write to them stays in memory. If the file shrinks while it
/// is mapped, the next read of the missing part ends the process.
class MappedFile {
 public:
  /// @throws FileError
  explicit MappedFile(const std::string& path);
  /// Addresses for the bytes of a file of that size, without the file: a read there finds zeros.
  /// They tell where tensors lie in the file; if it shrinks, the process does not end.
  /// @param path for messages
  MappedFile(const std::string& path, std::uint64_t size);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  void* at(std::uint64_t offset) const { return static_cast<char*>(address_) + offset; }
  /// The place in the file that is mapped there; none: the address is elsewhere.
  std::optional<std::uint64_t> offset_of(const void* address) const;
  std::size_t size() const { return size_; }

 private:
  void* address_;
  std::size_t size_ = 0;
};

/// Storages for LibTorch's Unpickler that are pages of the file: of the records of `folder`
/// ("data/"). Compressed ones are left to LibTorch.
/// @param archive of the same file
std::shared_ptr<torch::jit::DeserializationStorageContext> mapped_storages(
    const ZipArchive& archive, const std::string& folder, const std::shared_ptr<MappedFile>& file);

}  // namespace actswap
