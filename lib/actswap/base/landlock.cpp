#include <actswap/base/landlock.h>

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

namespace actswap {

namespace {

// Debian 12's header knows ABI 2 (Linux 5.19). A kernel takes a longer struct than its own where
// the rest is 0.
struct RulesetAttributes {
  std::uint64_t files = 0;
  std::uint64_t network = 0;
  std::uint64_t scoped = 0;
};
constexpr std::uint64_t kTruncate = 1U << 14U;      // ABI 3
constexpr std::uint64_t kDeviceIoctl = 1U << 15U;   // ABI 5
constexpr std::uint64_t kTcp = 0b11;                // ABI 4: bind and connect
constexpr std::uint64_t kSocketsAndSignals = 0b11;  // ABI 6: abstract UNIX sockets, signals

constexpr std::uint64_t kRead =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kWrite = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER | kTruncate;
constexpr std::uint64_t kNever = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                                 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                                 LANDLOCK_ACCESS_FS_MAKE_SYM | kDeviceIoctl;
constexpr std::uint64_t kOfFiles = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
                                   LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;

std::uint64_t known_rights(int abi) {
  std::uint64_t rights = kRead | kWrite | kNever;
  if (abi < 5) {
    rights &= ~kDeviceIoctl;
  }
  if (abi < 3) {
    rights &= ~kTruncate;
  }
  if (abi < 2) {
    rights &= ~std::uint64_t{LANDLOCK_ACCESS_FS_REFER};
  }
  return rights;
}

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) {
      ::close(value_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

void allow(int ruleset, const std::string& path, std::uint64_t rights) {
  const Descriptor file(::open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat status = {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) {
    return;  // whoever reads it says why it cannot be
  }
  landlock_path_beneath_attr rule = {};
  rule.allowed_access = S_ISDIR(status.st_mode) ? rights : rights & kOfFiles;
  rule.parent_fd = file.get();
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    fail(path);
  }
}

}  // namespace

int landlock_abi() {
  const auto abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

void restrict_files(const std::vector<std::string>& readable,
                    const std::vector<std::string>& writable, bool network) {
  const int abi = landlock_abi();
  if (abi == 0) {
    return;
  }
  const auto rights = known_rights(abi);
  RulesetAttributes attributes;
  attributes.files = rights;
  attributes.network = abi >= 4 && !network ? kTcp : 0;
  attributes.scoped = abi >= 6 ? kSocketsAndSignals : 0;
  const auto made = ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
  const Descriptor ruleset(static_cast<int>(made));
  if (ruleset.get() < 0) {
    fail("Landlock");
  }
  for (const auto& path : readable) {
    allow(ruleset.get(), path, rights & kRead);
  }
  for (const auto& path : writable) {
    allow(ruleset.get(), path, rights & (kRead | kWrite));
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    fail("Landlock");
  }
}

}  // namespace actswap
