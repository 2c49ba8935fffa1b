#include <actswap/base/error.h>
#include <actswap/data/mapped_storages.h>

#include <torch/types.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace actswap {

MappedFile::MappedFile(const std::string& path) : address_(MAP_FAILED) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status = {};
  if (descriptor >= 0 && ::fstat(descriptor, &status) == 0) {
    size_ = static_cast<std::size_t>(status.st_size);
    // Without a reservation of memory for writes, which a large file would not get.
    address_ =
        ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0);
  }
  const int error = errno;
  if (descriptor >= 0) {
    ::close(descriptor);
  }
  if (address_ == MAP_FAILED) {
    throw FileError("Cannot read '" + path + "': " + std::strerror(error));
  }
}

// Pages that nobody can write to count neither as memory nor against RLIMIT_DATA.
MappedFile::MappedFile(const std::string& path, std::uint64_t size)
    : address_(
          ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)),
      size_(size) {
  if (address_ == MAP_FAILED) {
    throw FileError("Cannot read '" + path + "': " + std::strerror(errno));
  }
}

MappedFile::~MappedFile() {
  ::munmap(address_, size_);
}

std::optional<std::uint64_t> MappedFile::offset_of(const void* address) const {
  const auto begin = reinterpret_cast<std::uintptr_t>(address_);
  const auto there = reinterpret_cast<std::uintptr_t>(address);
  if (there < begin || there >= begin + size_) {
    return std::nullopt;
  }
  return there - begin;
}

std::shared_ptr<torch::jit::DeserializationStorageContext> mapped_storages(
    const ZipArchive& archive, const std::string& folder, const std::shared_ptr<MappedFile>& file) {
  auto storages = std::make_shared<torch::jit::DeserializationStorageContext>();
  for (const auto& [name, record] : archive.records()) {
    if (name.starts_with(folder) && !record.is_deflated && record.size > 0) {
      auto data = c10::InefficientStdFunctionContext::makeDataPtr(
          file->at(record.offset), [file](void*) {}, torch::kCPU);
      storages->addStorage(name.substr(folder.size()),
                           c10::Storage(c10::Storage::use_byte_size_t(), record.size,
                                        std::move(data), nullptr, false));
    }
  }
  return storages;
}

}  // namespace actswap
