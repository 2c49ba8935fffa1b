// Mistyped words, found before anything is loaded.
#pragma once

#include "command_text.h"

namespace actswap::tool {

/// @throws UsageError that names the nearest subcommand, and all of them
const SubcommandText& expect_subcommand(const CommandText& command, const std::string& name);

/// @param words behind the subcommand's name
/// @throws UsageError for an option that the subcommand does not have (with the nearest), one
///   without its value, values of a list with spaces between them, and more arguments than it takes
void check_words(const SubcommandText& subcommand, const std::vector<std::string>& words);

}  // namespace actswap::tool
