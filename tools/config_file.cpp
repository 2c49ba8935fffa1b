#include "config_file.h"

#include <actswap/base/error.h>
#include <actswap/base/nearest.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

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

bool is_control_character(char c) {
  return static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\r' && c != '\t';
}

std::vector<CLI::ConfigItem> read_items(const std::string& path) {
  if (std::filesystem::is_directory(path)) {
    throw FileError("Cannot read '" + path + "': it is a folder; expected a TOML or INI file");
  }
  std::ifstream file(path);
  if (!file) {
    throw FileError("Cannot read '" + path + "': " + std::strerror(errno));
  }
  std::stringstream text;
  text << file.rdbuf();
  if (std::ranges::any_of(text.str(), is_control_character)) {
    throw FileError("'" + path + "' is not a TOML or INI file: it holds bytes that are not text");
  }
  try {
    return CLI::ConfigTOML().from_config(text);
  } catch (const CLI::Error& error) {
    throw FileError("'" + path + "' is not a TOML or INI file: " + error.what());
  }
}

bool names(const CLI::Option& option, const std::string& argument) {
  const auto is_long = [&](const std::string& name) {
    return argument == "--" + name || argument.starts_with("--" + name + "=");
  };
  const auto is_short = [&](const std::string& name) {  // "-oout.pt" as well
    return argument.starts_with("-" + name);
  };
  return std::ranges::any_of(option.get_lnames(), is_long) ||
         std::ranges::any_of(option.get_snames(), is_short);
}

bool is_given(const CLI::Option& option, const std::vector<std::string>& arguments) {
  return std::ranges::any_of(arguments,
                             [&](const std::string& argument) { return names(option, argument); });
}

// Whether a word follows that is the option's value, as in "--to relu".
bool takes_next(const CLI::App& subcommand, const std::string& argument) {
  if (argument.find('=') != std::string::npos) {
    return false;
  }
  for (const auto* option : subcommand.get_options()) {
    if (option->nonpositional() && names(*option, argument)) {
      const bool is_attached = !argument.starts_with("--") && argument.size() > 2;
      return option->get_expected_max() > 0 && !is_attached;
    }
  }
  return false;
}

// The first word after the subcommand that is no option and no option's value; empty: none.
std::string first_positional(const CLI::App& subcommand,
                             const std::vector<std::string>& arguments) {
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    if (!arguments[i].starts_with('-')) {
      return arguments[i];
    }
    i += takes_next(subcommand, arguments[i]) ? 1 : 0;
  }
  return "";
}

const CLI::Option* find_option(const CLI::App& subcommand, const std::string& name) {
  const auto* option = subcommand.get_option_no_throw("--" + name);
  return option == nullptr ? subcommand.get_option_no_throw(name) : option;
}

std::vector<std::string> names_of(const std::vector<const CLI::App*>& subcommands) {
  std::vector<std::string> names;
  names.reserve(subcommands.size());
  for (const auto* subcommand : subcommands) {
    names.push_back(subcommand->get_name());
  }
  return names;
}

// Whether the item is for this subcommand: it stands before any section or in the subcommand's.
bool is_for(const CLI::ConfigItem& item, const CLI::App& app, const CLI::App& subcommand,
            const std::string& path) {
  if (item.parents.empty()) {
    return true;
  }
  const auto section = CLI::detail::join(item.parents, ".");
  const auto known = names_of(app.get_subcommands([](const CLI::App*) { return true; }));
  if (std::ranges::find(known, section) == known.end()) {
    throw UsageError("'" + path + "': expected sections named like subcommands, but got [" +
                     section + "]" + did_you_mean(section, known));
  }
  return section == subcommand.get_name() && item.name != "++" && item.name != "--";
}

// The option that a key of the file means.
const CLI::Option& option_of(const CLI::ConfigItem& item, const CLI::App& subcommand,
                             const std::string& path) {
  const auto* option = find_option(subcommand, item.name);
  if (option == nullptr) {
    std::vector<std::string> known;
    for (const auto* each : subcommand.get_options()) {
      known.push_back(each->get_single_name());
    }
    throw UsageError("'" + path + "': " + subcommand.get_name() + " has no option '" + item.name +
                     "'" + did_you_mean(item.name, known));
  }
  if (item.name == "config" || item.name == "help") {
    throw UsageError("'" + path + "': expected an option of " + subcommand.get_name() +
                     ", but got '" + item.name + "', which belongs on the command line");
  }
  return *option;
}

// CLI11 reads what is no TOML too.
void check_values(const CLI::ConfigItem& item, const std::string& path) {
  const auto is_empty = [](const std::string& value) { return value.empty(); };
  if (item.inputs.empty() || std::ranges::any_of(item.inputs, is_empty)) {
    throw UsageError("'" + path + "': expected a value for '" + item.name + "', but found none");
  }
  for (const auto& value : item.inputs) {
    if (value.starts_with('"') || value.starts_with('\'')) {
      throw UsageError("'" + path + "': expected a closing quote in the value of '" + item.name +
                       "', but found " + value);
    }
  }
}

// What the file says to this subcommand; its section wins.
std::vector<CLI::ConfigItem> items_for(const CLI::App& app, const CLI::App& subcommand,
                                       const std::string& path) {
  std::vector<CLI::ConfigItem> items;
  for (const auto& item : read_items(path)) {
    if (is_for(item, app, subcommand, path)) {
      std::erase_if(items, [&](const CLI::ConfigItem& each) {
        return each.name == item.name && each.parents != item.parents;
      });
      check_values(item, path);
      items.push_back(item);
    }
  }
  return items;
}

bool is_word_of_toml(const std::string& text) {  // true, false or a number: no quotes
  double value = 0.0;
  const char* end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data(), end, value);
  return text == "true" || text == "false" || (error == std::errc() && read == end);
}

std::string toml_value(const std::string& text) {
  if (is_word_of_toml(text)) {
    return text;
  }
  const char quote = text.find('"') == std::string::npos ? '"' : '\'';
  return quote + text + quote;
}

bool fits_in_file(const std::string& text) {
  const bool has_both = text.find('"') != std::string::npos && text.find('\'') != std::string::npos;
  return !has_both && text.find_first_of("#\n\r") == std::string::npos;
}

std::string toml_line(const std::string& key, const std::vector<std::string>& values) {
  if (!std::ranges::all_of(values, fits_in_file)) {
    return "# " + key + " is missing: this file cannot hold its value\n";
  }
  std::string text;
  for (const auto& value : values) {
    text += (text.empty() ? "" : ", ") + toml_value(value);
  }
  return key + " = " + (values.size() == 1 ? text : "[" + text + "]") + "\n";
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
  const auto& subcommand = *chosen.front();
  const auto positional = first_positional(subcommand, arguments);
  std::vector<std::string> result = {arguments.front()};
  for (const auto& item : items_for(app, subcommand, path)) {
    const auto& option = option_of(item, subcommand, path);
    if (!option.nonpositional() && !positional.empty()) {
      throw UsageError("'" + path + "' gives '" + item.name + "', and the command line gives '" +
                       positional + "'; expected one of them");
    }
    if (is_given(option, arguments)) {
      continue;
    }
    for (const auto& value : item.inputs) {
      result.push_back(option.nonpositional() ? "--" + item.name + "=" + value : value);
    }
  }
  result.insert(result.end(), arguments.begin() + 1, arguments.end());
  return result;
}

std::string as_config_file(const CLI::App& subcommand) {
  static const std::vector<std::string> kNotOfTheRun = {"config", "json", "verbose", "quiet"};
  std::string text = "# Repeats the run, with the library of that version, in the folder\n# " +
                     std::filesystem::current_path().string() + "\n# actswap " +
                     subcommand.get_name() + " --config THIS_FILE\n[" + subcommand.get_name() +
                     "]\n";
  for (const auto* option : subcommand.get_options()) {
    const auto name = option->nonpositional() ? option->get_lnames().front() : option->get_name();
    if (option->count() > 0 && std::ranges::find(kNotOfTheRun, name) == kNotOfTheRun.end()) {
      text += toml_line(name, option->results());
    }
  }
  return text;
}

}  // namespace actswap::tool
