#include <actswap/base/error.h>
#include <actswap/data/data_file.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace actswap {

namespace {

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

DataFile::DataFile(const std::string& path) : path_(path) {
  // Before the opening: opening a pipe waits for someone to write to it.
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    throw FileError("Cannot read '" + path + "': there is no such file");
  }
  if (!std::filesystem::is_regular_file(status)) {
    throw FileError("Cannot read '" + path + "': expected a file, but it is no regular file");
  }
  struct stat opened = {};
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0 || ::fstat(descriptor_, &opened) != 0) {
    const int reason = errno;
    if (descriptor_ >= 0) {
      ::close(descriptor_);
    }
    throw FileError("Cannot read '" + path + "': " + std::strerror(reason));
  }
  size_ = static_cast<std::uint64_t>(opened.st_size);
  modified_ = nanoseconds(opened.st_mtim);
}

DataFile::~DataFile() {
  ::close(descriptor_);
}

void DataFile::read(std::uint64_t offset, void* to, std::size_t size) const {
  struct stat now = {};
  if (::fstat(descriptor_, &now) == 0 && nanoseconds(now.st_mtim) != modified_) {
    throw FileError("'" + path_ + "' was changed while it was being read; start again");
  }
  if (offset > size_ || size > size_ - offset) {
    throw FileError("'" + path_ + "' is truncated: expected " + std::to_string(size) +
                    " bytes from byte " + std::to_string(offset) + " on, but it ends after " +
                    std::to_string(size_));
  }
  auto* next = static_cast<char*>(to);
  while (size > 0) {
    const auto count = ::pread(descriptor_, next, size, static_cast<off_t>(offset));
    if (count == 0 || (count < 0 && errno != EINTR)) {
      throw FileError("Cannot read '" + path_ +
                      "': " + (count == 0 ? "it has become shorter" : std::strerror(errno)));
    }
    const auto got = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    next += got;
    offset += got;
    size -= got;
  }
}

std::vector<std::uint8_t> DataFile::bytes(std::uint64_t offset, std::uint64_t size) const {
  constexpr std::uint64_t kMost = 1U << 30;
  if (size > kMost) {
    throw FileError("Expected 2^30 bytes at most for one example in '" + path_ + "', but got " +
                    std::to_string(size));
  }
  std::vector<std::uint8_t> bytes(size);
  read(offset, bytes.data(), bytes.size());
  return bytes;
}

std::string DataFile::begin(std::size_t size) const {
  std::string bytes(std::min<std::uint64_t>(size, size_), '\0');
  read(0, bytes.data(), bytes.size());
  return bytes;
}

}  // namespace actswap
