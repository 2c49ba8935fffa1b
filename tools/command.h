// All subcommands.
#pragma once

#include "text/command_text.h"

namespace actswap::tool {

/// Reads the command line, runs one subcommand and turns errors into exit codes.
int run_command(int argc, char** argv) noexcept;

/// What the definitions of the options say.
CommandText command_text();

}  // namespace actswap::tool
