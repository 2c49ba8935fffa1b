#include <actswap/base/error.h>
#include <actswap/base/files.h>
#include <actswap/base/output_broker.h>
#include <actswap/base/temporary_folder.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>

namespace actswap {

namespace fs = std::filesystem;

namespace {

fs::path folder_of(const fs::path& path) {
  const auto folder = path.parent_path();
  return folder.empty() ? fs::path(".") : folder;
}

[[noreturn]] void fail(const std::string& path, const std::string& reason) {
  throw FileError("Cannot write '" + path + "': " + reason);
}

std::optional<struct stat> status_of(const fs::path& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) == 0) {
    return status;
  }
  return std::nullopt;
}

// Where a link leads to, also one that leads to no file yet.
fs::path followed(const std::string& path) {
  constexpr int kMostLinks = 40;
  fs::path target = path;
  std::error_code error;
  for (int links = 0; fs::is_symlink(fs::symlink_status(target, error)); ++links) {
    if (links == kMostLinks) {
      fail(path, "it is a link that leads in a circle");
    }
    target = folder_of(target) / fs::read_symlink(target, error);
    if (error) {
      fail(path, error.message());
    }
  }
  return target;
}

// The file that will be written.
fs::path checked_target(const std::string& path) {
  if (path.empty()) {
    throw FileError("Cannot write '': expected the name of a file");
  }
  const auto status = status_of(path);
  if (!status && errno == ENAMETOOLONG) {
    fail(path, "its name is too long");
  }
  if (status && S_ISDIR(status->st_mode)) {
    fail(path, "it is a folder; expected the name of a file");
  }
  if (status && !S_ISREG(status->st_mode)) {
    fail(path, "it is a device, a pipe or another special file; expected the name of a file");
  }
  auto target = followed(path);
  const auto folder = folder_of(target);
  const auto folder_status = status_of(folder);
  if (!folder_status || !S_ISDIR(folder_status->st_mode)) {
    fail(path, "the folder '" + folder.string() + "' does not exist");
  }
  if (target.filename().empty()) {
    fail(path, "it is a folder; expected the name of a file");
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    fail(path, "in the folder '" + folder.string() + "': " + std::strerror(errno));
  }
  return target;
}

// @throws std::system_error; file systems that cannot flush a file of this kind do not count.
void sync_to_disk(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 && errno == EACCES) {
    return;  // a folder that this user may write to but not read
  }
  if (descriptor < 0) {
    throw std::system_error(errno, std::generic_category());
  }
  const int result = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  if (result != 0 && error != EINVAL && error != ENOTSUP && error != EROFS) {
    throw std::system_error(error, std::generic_category());
  }
}

// What a file that is replaced hands on. A process that may not give files away keeps its own.
void take_over_mode(const std::string& file, const struct stat& replaced) {
  if (::chown(file.c_str(), replaced.st_uid, replaced.st_gid) != 0 && errno != EPERM) {
    throw std::system_error(errno, std::generic_category());
  }
  const auto made = status_of(file);
  const bool is_owner_kept = made && made->st_uid == replaced.st_uid;
  const mode_t mode = replaced.st_mode & (is_owner_kept ? 07777 : 0777);
  if (::chmod(file.c_str(), mode) != 0) {
    throw std::system_error(errno, std::generic_category());
  }
}

// Once for each folder: a run writes its record many times.
void tidy_once(const std::string& folder) {
  static std::mutex mutex;
  static std::set<std::string> tidied;
  const std::lock_guard lock(mutex);
  if (tidied.insert(folder).second) {
    remove_abandoned_folders(folder);
  }
}

}  // namespace

void check_writable(const std::string& path) {
  checked_target(path);
}

std::string writable_target(const std::string& path) {
  return checked_target(path).string();
}

void write_atomically(const std::string& path,
                      const std::function<void(const std::string&)>& write) {
  try {
    if (writes_through_broker()) {
      write_through_broker(path, write);
      return;
    }
    const auto target = checked_target(path);
    const auto folder = folder_of(target).string();
    tidy_once(folder);
    const TemporaryFolder scratch(folder);
    const auto temporary = (fs::path(scratch.path()) / target.filename()).string();
    write(temporary);
    move_into_place(temporary, path);
  } catch (const std::system_error& error) {
    fail(path, error.code().message());
  }
}

void make_folder(const std::string& path) {
  if (writes_through_broker()) {
    return;
  }
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    throw FileError("Cannot make the folder '" + path + "': " + error.message());
  }
}

bool remove_file(const std::string& path) {
  if (writes_through_broker()) {
    return remove_through_broker(path);
  }
  std::error_code ignored;
  return fs::remove(path, ignored);
}

void move_into_place(const std::string& temporary, const std::string& path) {
  const auto target = checked_target(path);
  try {
    sync_to_disk(temporary);  // before the rename becomes visible
    if (const auto replaced = status_of(target)) {
      take_over_mode(temporary, *replaced);
    }
    fs::rename(temporary, target);
    sync_to_disk(folder_of(target).string());
  } catch (const std::system_error& error) {
    fail(path, error.code().message());
  }
}

std::future<void> flush_in_background(const std::string& path) {
  return std::async(std::launch::async, [path] { sync_to_disk(path); });
}

void write_text_atomically(const std::string& path, const std::string& text) {
  write_atomically(path, [&](const std::string& temporary) {
    OutputFile file(temporary);
    file.write(text.data(), text.size());
    file.close();
  });
}

OutputFile::OutputFile(const std::string& path)
    : descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
  constexpr std::size_t kBuffer = 1 << 16;
  if (descriptor_ < 0) {
    throw std::system_error(errno, std::generic_category());
  }
  buffer_.reserve(kBuffer);
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

void OutputFile::write(const void* data, std::size_t size) noexcept {
  const auto* bytes = static_cast<const char*>(data);
  if (size > buffer_.capacity() - buffer_.size()) {
    flush();
  }
  if (size > buffer_.capacity()) {
    write_through(bytes, size);
  } else {
    buffer_.insert(buffer_.end(), bytes, bytes + size);
  }
}

void OutputFile::flush() noexcept {
  write_through(buffer_.data(), buffer_.size());
  buffer_.clear();
}

void OutputFile::overwrite(std::size_t position, const void* data, std::size_t size) noexcept {
  flush();
  seek(static_cast<std::int64_t>(position), SEEK_SET);
  write_through(static_cast<const char*>(data), size);
  seek(0, SEEK_END);
}

void OutputFile::seek(std::int64_t offset, int whence) noexcept {
  if (error_ == 0 && ::lseek(descriptor_, offset, whence) < 0) {
    error_ = errno;
  }
}

void OutputFile::write_through(const char* data, std::size_t size) noexcept {
  while (size > 0 && error_ == 0) {
    const auto written = ::write(descriptor_, data, size);
    if (written > 0) {
      data += written;
      size -= static_cast<std::size_t>(written);
    } else if (errno != EINTR) {
      error_ = written == 0 ? EIO : errno;
    }
  }
}

void OutputFile::close() {
  flush();
  if (::close(descriptor_) != 0 && error_ == 0 && errno != EINTR) {
    error_ = errno;
  }
  descriptor_ = -1;
  if (error_ != 0) {
    throw std::system_error(error_, std::generic_category());
  }
}

}  // namespace actswap
