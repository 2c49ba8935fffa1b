// The definitions of all options as plain text, for all that shows them.
#pragma once

#include "text/command_text.h"

#include <CLI/CLI.hpp>

namespace actswap::tool {

CommandText describe(const CLI::App& app);

/// The same as a source file of C++ that defines kCommandText.
std::string as_source(const CommandText& command);

}  // namespace actswap::tool
