// Options in groups, each with an example, for the help.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace actswap::tool {

struct GroupExample {
  std::string group;
  std::string command;
};

/// The options that are added to the subcommand from now on belong to this group.
/// @param example a command line that uses some of them; empty: none
void begin_group(CLI::App& subcommand, const std::string& group, const std::string& example = "");

/// The examples of the subcommand's groups, which CLI11 keeps in the subcommand's footer.
std::vector<GroupExample> examples_of(const CLI::App& subcommand);

}  // namespace actswap::tool
