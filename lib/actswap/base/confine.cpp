#include <actswap/base/confine.h>
#include <actswap/base/error.h>
#include <actswap/base/landlock.h>
#include <actswap/base/system_calls.h>

#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <system_error>

namespace actswap {

namespace {

namespace fs = std::filesystem;

// Files that the C library, OpenMP and LibTorch read, the latter about the processor. /proc/self
// leads only to this process.
constexpr const char* kAlwaysReadable[] = {"/lib",
                                           "/lib64",
                                           "/usr/lib",
                                           "/usr/lib64",
                                           "/usr/local/lib",
                                           "/etc/ld.so.cache",
                                           "/etc/localtime",
                                           "/usr/share/zoneinfo",
                                           "/proc/self",
                                           "/proc/cpuinfo",
                                           "/proc/meminfo",
                                           "/proc/stat",
                                           "/proc/loadavg",
                                           "/proc/sys/vm/overcommit_memory",
                                           "/sys/devices/system/cpu",
                                           "/sys/devices/system/node",
                                           "/sys/fs/cgroup",
                                           "/dev/null",
                                           "/dev/zero",
                                           "/dev/random",
                                           "/dev/urandom"};

// The folders of the libraries that this process has mapped: LibTorch's may be anywhere, and it
// opens more of its own later.
std::set<std::string> folders_of_libraries() {
  std::set<std::string> folders;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const auto path = line.find('/');
    if (path != std::string::npos && line.find(".so", path) != std::string::npos) {
      folders.insert(fs::path(line.substr(path)).parent_path().string());
    }
  }
  return folders;
}

std::size_t threads_of_this_process() {
  std::error_code error;
  const fs::directory_iterator tasks("/proc/self/task", error);
  return error ? 1 : static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

void limit(decltype(RLIMIT_CORE) resource, std::uint64_t value, std::uint64_t grace = 0) {
  rlimit limits = {};
  ::getrlimit(resource, &limits);
  limits.rlim_max = std::min<rlim_t>(limits.rlim_max, value + grace);
  limits.rlim_cur = std::min<rlim_t>({limits.rlim_cur, limits.rlim_max, value});
  if (::setrlimit(resource, &limits) != 0) {
    throw std::system_error(errno, std::generic_category(), "a limit");
  }
}

// RLIMIT_DATA counts the shadow memory of a sanitizer, terabytes that are hardly used.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ACTSWAP_HAS_SHADOW_MEMORY
#endif
#endif
#ifdef ACTSWAP_HAS_SHADOW_MEMORY
constexpr bool kCanLimitMemory = false;
#else
constexpr bool kCanLimitMemory = true;
#endif

void set_limits(const Confinement& keep) {
  limit(RLIMIT_CORE, 0);  // it would hold the user's data
  if (keep.memory_bytes && kCanLimitMemory) {
    limit(RLIMIT_DATA, *keep.memory_bytes);
  }
  if (keep.file_bytes) {
    limit(RLIMIT_FSIZE, *keep.file_bytes);
  }
  if (keep.processor_seconds) {
    constexpr std::uint64_t kGrace = 1;  // of SIGXCPU, before SIGKILL
    limit(RLIMIT_CPU, *keep.processor_seconds, kGrace);
  }
}

}  // namespace

ConfinementSupport confinement_support() {
  return {.landlock_abi = landlock_abi(), .system_calls = can_forbid_system_calls()};
}

std::vector<std::string> missing_confinement(const ConfinementSupport& support) {
  const std::string kernel =
      "this kernel's Landlock is version " + std::to_string(support.landlock_abi);
  std::vector<std::string> missing;
  if (support.landlock_abi == 0) {
    missing.emplace_back("files (this kernel has no Landlock, or it is switched off)");
  } else if (support.landlock_abi < 3) {
    missing.push_back("the truncation of files (" + kernel + ", which needs 3: Linux 6.2)");
  }
  if (!support.system_calls) {
    missing.emplace_back(
        "new processes, sockets and other system calls (this kernel or this build has no seccomp)");
    if (support.landlock_abi > 0 && support.landlock_abi < 4) {
      missing.push_back("TCP (" + kernel + ", which needs 4: Linux 6.7)");
    }
  }
  return missing;
}

void forbid_new_connections() {
  try {
    if (can_forbid_system_calls()) {
      forbid_sockets();
    }
  } catch (const std::system_error& error) {
    throw FileError(std::string("Cannot close the network: ") + error.what());
  }
}

void confine_process(const Confinement& keep) {
  if (const auto threads = threads_of_this_process(); threads > 1) {
    throw UsageError("A process can be confined while it has one thread, but this one has " +
                     std::to_string(threads) +
                     "; call confine_process before anything of LibTorch runs");
  }
  std::vector<std::string> readable(std::begin(kAlwaysReadable), std::end(kAlwaysReadable));
  const auto libraries = folders_of_libraries();
  readable.insert(readable.end(), libraries.begin(), libraries.end());
  readable.insert(readable.end(), keep.readable.begin(), keep.readable.end());
  try {
    set_limits(keep);
    restrict_files(readable, keep.writable, keep.network);
    if (can_forbid_system_calls()) {
      forbid_system_calls(keep.network);
    }
  } catch (const std::system_error& error) {
    throw FileError(std::string("Cannot confine the process: ") + error.what());
  }
}

}  // namespace actswap
