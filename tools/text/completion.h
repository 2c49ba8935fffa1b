// Scripts by which a shell completes subcommands, options, words and files.
#pragma once

#include "command_text.h"

namespace actswap::tool {

/// @param shell "bash", "zsh", "fish"
/// @throws UsageError for another one
std::string completion(const CommandText& command, const std::string& shell);

}  // namespace actswap::tool
