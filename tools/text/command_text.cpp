#include "command_text.h"

#include <algorithm>
#include <cctype>

namespace actswap::tool {

std::string joined_by_or(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  }
  return text;
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

const SubcommandText* find_subcommand(const CommandText& command, const std::string& name) {
  const auto found = std::ranges::find(command.subcommands, name, &SubcommandText::name);
  return found == command.subcommands.end() ? nullptr : &*found;
}

const OptionText* find_option(const SubcommandText& subcommand, const std::string& word) {
  const bool is_long = word.starts_with("--");
  const auto name = is_long ? word.substr(2, word.find('=') - 2) : word.substr(1, 1);
  const auto found = std::ranges::find(subcommand.options, name,
                                       is_long ? &OptionText::name : &OptionText::short_name);
  return name.empty() || found == subcommand.options.end() ? nullptr : &*found;
}

std::string spelling(const OptionText& option, bool aligned) {
  std::string text =
      option.short_name.empty() ? (aligned ? "    " : "") : "-" + option.short_name + ", ";
  text += "--" + option.name;
  if (!option.value.empty()) {
    text += " " + option.value + (option.is_list ? ",..." : "");
  }
  return text;
}

std::string usage(const SubcommandText& subcommand) {
  std::string text = "actswap " + subcommand.name;
  for (const auto& argument : subcommand.arguments) {
    const auto name = upper(argument.name) + (argument.repeats ? "..." : "");
    text += argument.is_required ? " " + name : " [" + name + "]";
  }
  for (const auto& option : subcommand.options) {
    if (option.is_required) {
      text += " " + (option.short_name.empty() ? "--" + option.name : "-" + option.short_name) +
              " " + option.value;
    }
  }
  return text + " [OPTIONS]";
}

std::string full_help(const OptionText& option) {
  std::string notes;
  const auto add = [&](const std::string& note) { notes += (notes.empty() ? "" : "; ") + note; };
  if (option.is_required) {
    add("required");
  }
  if (!option.range.empty()) {
    add(option.range);
  }
  if (!option.choices.empty()) {
    add(joined_by_or(option.choices));
  }
  if (!option.default_value.empty()) {
    add("default: " + option.default_value);
  }
  if (option.repeats && !option.value.empty()) {
    add("may be repeated");
  }
  return option.help + (notes.empty() ? "" : " [" + notes + "]");
}

std::vector<std::string> groups_of(const SubcommandText& subcommand) {
  std::vector<std::string> groups;
  for (const auto& option : subcommand.options) {
    if (std::ranges::find(groups, option.group) == groups.end()) {
      groups.push_back(option.group);
    }
  }
  return groups;
}

}  // namespace actswap::tool
