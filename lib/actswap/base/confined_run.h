// The command's confinement: what one run reads and writes, and nothing else.
#pragma once

#include <actswap/base/confine.h>
#include <actswap/base/output_broker.h>

#include <string>
#include <vector>

namespace actswap {

enum class ConfineMode {
  automatic,  ///< as far as the kernel goes
  require,    ///< wholly, or not at all
  off,
};

/// What a run was told on its command line.
struct RunPaths {
  std::vector<std::string> inputs = {};  ///< files, and folders with all that is in them
  DeclaredOutputs outputs = {};
};

/// Confines this process to `paths` before it reads a model: its supervisor writes the outputs,
/// descriptors that no input names are closed, and the environment keeps only what the C library,
/// OpenMP and this program look at.
/// @returns what this kernel leaves open, as missing_confinement does. In a process without a
/// supervisor nothing is done, and
///   that is what is returned
/// @throws UsageError with ConfineMode::require where anything is left open
/// @throws FileError as declare_outputs and confine_process do
ACTSWAP_API std::vector<std::string> confine_run(ConfineMode mode, const RunPaths& paths);

}  // namespace actswap
