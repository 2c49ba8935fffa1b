#include "groups.h"

#include <sstream>

namespace actswap::tool {

void begin_group(CLI::App& subcommand, const std::string& group, const std::string& example) {
  subcommand.option_defaults()->group(group);
  if (!example.empty()) {
    subcommand.footer(subcommand.get_footer() + group + "\t" + example + "\n");
  }
}

std::vector<GroupExample> examples_of(const CLI::App& subcommand) {
  std::vector<GroupExample> examples;
  std::istringstream lines(subcommand.get_footer());
  for (std::string line; std::getline(lines, line);) {
    const auto tab = line.find('\t');
    examples.push_back({line.substr(0, tab), line.substr(tab + 1)});
  }
  return examples;
}

}  // namespace actswap::tool
