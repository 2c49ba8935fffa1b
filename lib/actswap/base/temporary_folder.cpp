#include <actswap/base/temporary_folder.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace actswap {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kPrefix = "actswap.tmp.";
constexpr std::string_view kPattern = "XXXXXX";

int open_folder(const std::string& path) {
  return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

bool is_abandoned(const fs::path& path) {
  constexpr std::time_t kYoung = 60;  // seconds; its process may be about to lock it
  const auto name = path.filename().string();
  if (!name.starts_with(kPrefix) || name.size() != kPrefix.size() + kPattern.size()) {
    return false;
  }
  const int descriptor = open_folder(path.string());
  if (descriptor < 0) {
    return false;
  }
  struct stat status = {};
  const bool abandoned = ::fstat(descriptor, &status) == 0 && status.st_uid == ::geteuid() &&
                         (status.st_mode & 07777) == 0700 &&
                         std::time(nullptr) - status.st_mtime > kYoung &&
                         ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
  ::close(descriptor);
  return abandoned;
}

}  // namespace

TemporaryFolder::TemporaryFolder(const std::string& parent) {
  path_ = (fs::absolute(parent) / (std::string(kPrefix) + std::string(kPattern))).string();
  if (::mkdtemp(path_.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category());
  }
  note_.emplace(path_);
  lock_ = open_folder(path_);
  if (lock_ >= 0) {
    ::flock(lock_, LOCK_EX | LOCK_NB);  // some file systems have no locks: nothing is tidied there
  }
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  if (lock_ >= 0) {
    ::close(lock_);
  }
}

void remove_abandoned_folders(const std::string& parent) {
  std::error_code error;
  for (fs::directory_iterator at(parent, error), end; !error && at != end; at.increment(error)) {
    if (is_abandoned(at->path())) {
      std::error_code ignored;
      fs::remove_all(at->path(), ignored);
    }
  }
}

}  // namespace actswap
