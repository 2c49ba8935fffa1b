#include "config_file.h"

#include <actswap/base/error.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace actswap::tool {

namespace {

std::string path_after_config(const std::vector<std::string>& arguments) {
  static const std::string kOption = "--config";
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].starts_with(kOption + "=")) {
      return arguments[i].substr(kOption.size() + 1);
    }
    if (arguments[i] == kOption && i + 1 < arguments.size()) {
      return arguments[i + 1];
    }
  }
  return "";
}

std::vector<CLI::ConfigItem> read_items(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    throw FileError("Cannot read '" + path + "': " + std::strerror(errno));
  }
  try {
    return CLI::ConfigTOML().from_config(file);
  } catch (const CLI::Error& error) {
    throw FileError("'" + path + "' is not a TOML or INI file: " + error.what());
  }
}

bool is_given(const CLI::Option& option, const std::vector<std::string>& arguments) {
  const auto names = [&](const std::string& argument) {
    const auto any = [&](const std::vector<std::string>& known, const std::string& dashes) {
      return std::any_of(known.begin(), known.end(), [&](const std::string& name) {
        return argument == dashes + name || argument.starts_with(dashes + name + "=");
      });
    };
    return any(option.get_lnames(), "--") || any(option.get_snames(), "-");
  };
  return std::any_of(arguments.begin(), arguments.end(), names);
}

const CLI::Option* find_option(const CLI::App& subcommand, const std::string& name) {
  const auto* option = subcommand.get_option_no_throw("--" + name);
  return option == nullptr ? subcommand.get_option_no_throw(name) : option;
}

}  // namespace

std::vector<std::string> with_config_file(const CLI::App& app,
                                          const std::vector<std::string>& arguments) {
  const auto path = path_after_config(arguments);
  const auto chosen = app.get_subcommands([&](const CLI::App* subcommand) {
    return !arguments.empty() && subcommand->get_name() == arguments.front();
  });
  if (path.empty() || chosen.empty()) {
    return arguments;
  }
  std::vector<std::string> result = {arguments.front()};
  for (const auto& item : read_items(path)) {
    const auto* option = find_option(*chosen.front(), item.name);
    if (option == nullptr) {
      throw UsageError("'" + path + "': " + arguments.front() + " has no option '" + item.name +
                       "'");
    }
    if (is_given(*option, arguments)) {
      continue;
    }
    for (const auto& value : item.inputs) {
      result.push_back(option->nonpositional() ? "--" + item.name + "=" + value : value);
    }
  }
  result.insert(result.end(), arguments.begin() + 1, arguments.end());
  return result;
}

}  // namespace actswap::tool
