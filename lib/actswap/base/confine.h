// Takes rights away from this process before it runs a model's code. A TorchScript file is a
// program: it can write files while it is loaded, and some operators reach memory that they do not
// own, so no check within the process could stop it. The kernel draws the boundary: Landlock for
// files and network, seccomp for system calls, and limits.
#pragma once

#include <actswap/base/export.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

/// The rights that a process keeps. It loses all others for good, in threads started later too.
struct Confinement {
  /// Files, and folders with their contents. Paths that cannot be opened are skipped. The system's
  /// libraries, LibTorch's, and the files in which the C library and OpenMP read about the machine
  /// (processors, memory, time zone) are always readable.
  std::vector<std::string> readable = {};
  /// Folders in which the process may make, write, rename and remove files; they are readable too.
  std::vector<std::string> writable = {};
  bool network = false;  ///< may open sockets: for training on several hosts
  std::optional<std::uint64_t> memory_bytes = std::nullopt;  ///< of private memory, RLIMIT_DATA
  std::optional<std::uint64_t> file_bytes = std::nullopt;    ///< largest file, RLIMIT_FSIZE
  std::optional<std::uint64_t> processor_seconds =
      std::nullopt;  ///< RLIMIT_CPU: then SIGXCPU, and SIGKILL a second later
};

/// What this kernel offers.
struct ConfinementSupport {
  int landlock_abi = 0;  ///< 0: none; 1 files, 2 renaming between folders, 3 truncation, 4 TCP, 5
                         ///< devices, 6 signals
  bool system_calls = false;  ///< seccomp, and a build with libseccomp
};

ACTSWAP_API ConfinementSupport confinement_support();

/// What this kernel or this build leaves open, in words for a user: "files (this kernel has no
/// Landlock)". Empty if nothing.
ACTSWAP_API std::vector<std::string> missing_confinement(const ConfinementSupport& support);

/// Takes away all that `keep` does not name: other files, the network, new processes, and system
/// calls that reach other processes or the kernel's internals. Rights that the kernel cannot take
/// away stay (missing_confinement). Open descriptors stay open.
///
/// It binds the calling thread and those that it starts afterwards. So call it before any code of
/// LibTorch has run, while there is one thread. It cannot be undone. It does not stop a model from
/// using up the time and memory that the limits leave, from damaging files in `writable`, or from
/// giving wrong results.
/// @throws UsageError if this process has more than one thread
/// @throws FileError if the kernel refuses what it offers
ACTSWAP_API void confine_process(const Confinement& keep);

/// Takes away from all threads of this process what Confinement::network left: opening sockets,
/// connecting and accepting. Open connections stay. Does nothing if the kernel has no seccomp.
/// @throws FileError if the kernel refuses what it offers
ACTSWAP_API void forbid_new_connections();

}  // namespace actswap
