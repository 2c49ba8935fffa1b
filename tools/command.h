// The whole command but for its main function.
#pragma once

namespace actswap::tool {

/// Reads the command line, runs one subcommand and turns errors into exit codes.
int run_command(int argc, char** argv) noexcept;

}  // namespace actswap::tool
