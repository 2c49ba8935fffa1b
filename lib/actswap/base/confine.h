// Taking rights away from this process, before it runs a model's code. A TorchScript file is a
// program: it can write files while it is loaded, and some operators reach memory that they do not
// own, so nothing that the process itself checks could stop it. The boundary is the kernel's:
// Landlock for files and network, seccomp for system calls, and limits.
#pragma once

#include <actswap/base/export.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

/// What a process keeps. Whatever is not named here is taken away for good, from all threads that
/// are started later, too.
struct Confinement {
  /// Files, and folders with all that is in them. What cannot be opened is left out. The system's
  /// libraries, LibTorch's, and what the C library and OpenMP read of the machine (processors,
  /// memory, time zone) are always readable.
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

/// What is not closed by this kernel or this build, in words for a user: "files (this kernel has no
/// Landlock)". Empty where all is.
ACTSWAP_API std::vector<std::string> missing_confinement(const ConfinementSupport& support);

/// Takes everything away that `keep` does not name: other files, the network, new processes, and
/// system calls that reach other processes or the kernel's inside. What the kernel does not offer
/// stays as it was (missing_confinement). Descriptors that are open stay open.
///
/// It binds the calling thread and those that it starts afterwards. So call it before anything of
/// LibTorch has run, while there is one thread. It cannot be undone, and it does not stop a model
/// from using up the time and memory that the limits leave, from damaging what is in `writable`, or
/// from giving wrong results.
/// @throws UsageError where this process has more than one thread
/// @throws FileError where the kernel refuses what it offers
ACTSWAP_API void confine_process(const Confinement& keep);

/// Takes away from all threads of this process what Confinement::network left: opening sockets,
/// connecting and accepting. Connections that are open stay. Where the kernel has no seccomp,
/// nothing is done.
/// @throws FileError where the kernel refuses what it offers
ACTSWAP_API void forbid_new_connections();

}  // namespace actswap
