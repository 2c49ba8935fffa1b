// The border between the program and the module that it loads.
#pragma once

#include <actswap/base/process_state.h>

namespace actswap::tool {

/// Runs a subcommand; returns the exit code.
/// @param state what the program shares with its supervisor
using ModuleEntry = int (*)(int argc, char** argv, ProcessState& state);
inline constexpr char kModuleEntry[] = "actswap_run_command";

}  // namespace actswap::tool
