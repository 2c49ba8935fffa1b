// Options from a file. CLI11 reads one for the program's own options only, not for a subcommand's.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace actswap::tool {

/// The arguments, with those of the file after --config in front of the subcommand's own. Each key
/// is the long name of an option ("epochs = 2") or of a positional argument ("model = 'a.pt'").
/// Keys before any section are for every subcommand, those in a section [convert] for that one; the
/// section wins. An option that the command line gives too is left out. Without --config: the
/// arguments as they are.
/// @throws FileError for a file that cannot be read; UsageError for a section that is no
///   subcommand, an unknown key, and a positional argument where the command line has one
std::vector<std::string> with_config_file(const CLI::App& app,
                                          const std::vector<std::string>& arguments);

/// A file for --config with the options that the command line gave the subcommand.
std::string as_config_file(const CLI::App& subcommand);

}  // namespace actswap::tool
