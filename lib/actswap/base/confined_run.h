// The command's confinement: a run can reach only the files that it reads and writes.
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

/// Closes descriptors that this process did not open itself, apart from standard input, output and
/// error and those that a word of the command line names (/dev/fd/63, as a shell writes <(...)).
/// To be called before it opens anything.
ACTSWAP_API void close_inherited_descriptors(const std::vector<std::string>& words);

/// The files and limits from a run's command line.
struct ConfinedRun {
  ConfineMode mode = ConfineMode::automatic;
  std::vector<std::string> inputs = {};  ///< files, and folders with all that is in them
  DeclaredOutputs outputs = {};
  std::optional<std::uint64_t> memory_bytes = std::nullopt;  ///< default: the machine's memory
  std::optional<std::uint64_t> file_bytes = std::nullopt;
  std::optional<std::uint64_t> processor_seconds = std::nullopt;
  /// It may open connections to the processes that it works with, and find them by name, until
  /// forbid_new_connections().
  bool network = false;
};

/// Confines this process to the files in `run`, before it reads a model. From then on its
/// supervisor writes the outputs, and only variables for the C library, OpenMP and LibTorch stay in
/// the environment.
/// @returns what is left open, as missing_confinement does; if no process supervises this one, does
///   nothing and says so
/// @throws UsageError with ConfineMode::require if anything is left open, and for a memory limit
///   below what the process has taken already
/// @throws FileError as declare_outputs and confine_process do
ACTSWAP_API std::vector<std::string> confine_run(const ConfinedRun& run);

}  // namespace actswap
