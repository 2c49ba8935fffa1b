// The command's confinement: what one run reads and writes, and nothing else.
#pragma once

#include <actswap/base/confine.h>
#include <actswap/base/output_broker.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

enum class ConfineMode {
  automatic,  ///< as far as the kernel goes
  require,    ///< wholly, or not at all
  off,
};

/// @throws UsageError where it is none of auto, require and off
ACTSWAP_API ConfineMode parse_confine_mode(const std::string& word);

/// Closes what this process did not open itself, apart from standard input, output and error, and
/// descriptors that a word of the command line names
/// (/dev/fd/63, as a shell writes <(...)). To be called before it opens anything.
ACTSWAP_API void close_inherited_descriptors(const std::vector<std::string>& words);

/// What a run was told on its command line.
struct ConfinedRun {
  ConfineMode mode = ConfineMode::automatic;
  std::vector<std::string> inputs = {};  ///< files, and folders with all that is in them
  DeclaredOutputs outputs = {};
  std::optional<std::uint64_t> memory_bytes = std::nullopt;  ///< by default what the machine has
  std::optional<std::uint64_t> file_bytes = std::nullopt;
  std::optional<std::uint64_t> processor_seconds = std::nullopt;
  /// It may open connections to the processes that it works with, and find them by name, until
  /// forbid_new_connections().
  bool network = false;
};

/// Confines this process to what `run` names, before it reads a model. Its supervisor then writes
/// the outputs, and of the environment only what the C library, OpenMP and LibTorch look at stays.
/// @returns what is left open, as missing_confinement does; where no process supervises this one,
///   nothing is done, and that is said
/// @throws UsageError with ConfineMode::require where anything is left open, and for a limit of the
///   memory below what the process has taken already
/// @throws FileError as declare_outputs and confine_process do
ACTSWAP_API std::vector<std::string> confine_run(const ConfinedRun& run);

}  // namespace actswap
