#include "markdown.h"

namespace actswap::tool {

namespace {

// Text in which nothing is taken for a mark, in a cell of a table.
std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    const bool is_mark = std::string("|*_<>[]\\`").find(c) != std::string::npos;
    result += (is_mark ? "\\" : "") + std::string(1, c);
  }
  return result;
}

// Text of which parts stand in backticks already: `actswap verify`.
std::string prose(const std::string& text) {
  std::string result;
  bool is_code = false;
  std::string part;
  for (const char c : text + "`") {
    if (c != '`') {
      part += c;
      continue;
    }
    result += is_code ? "`" + part + "`" : escaped(part);
    part.clear();
    is_code = !is_code;
  }
  return result;
}

std::string code(const std::string& text) {
  std::string result = "`";
  for (const char c : text) {
    result += (c == '|' ? "\\" : "") + std::string(1, c);
  }
  return result + "`";
}

std::string row(const std::string& first, const std::string& second) {
  return "| " + first + " | " + second + " |\n";
}

std::string example_of(const SubcommandText& subcommand, const std::string& group) {
  std::string text;
  for (const auto& each : subcommand.examples) {
    if (each.group == group) {
      text += "\n    " + each.command + "\n";
    }
  }
  return text;
}

std::string section(const SubcommandText& subcommand) {
  std::string text = "\n## " + subcommand.name + "\n\n" + prose(subcommand.summary) + ".\n\n    " +
                     usage(subcommand) + "\n";
  if (!subcommand.arguments.empty()) {
    text += "\n| argument | |\n|---|---|\n";
    for (const auto& argument : subcommand.arguments) {
      text += row(code(upper(argument.name)), prose(full_help(argument)));
    }
  }
  for (const auto& group : groups_of(subcommand)) {
    text += "\n**" + group + "**\n\n| option | |\n|---|---|\n";
    for (const auto& option : subcommand.options) {
      if (option.group == group) {
        text += row(code(spelling(option, /*aligned=*/false)), prose(full_help(option)));
      }
    }
    text += example_of(subcommand, group);
  }
  return text;
}

}  // namespace

std::string reference_page(const CommandText& command) {
  std::string text =
      "# Commands\n\nEvery subcommand of `actswap` with its options, as `actswap SUBCOMMAND "
      "--help` and the manual pages show them. The build writes this page from the definitions of "
      "the options; a test compares the two. [guide.md](guide.md) says when to use what, "
      "[formats.md](formats.md) what goes in and comes out.\n\n| subcommand | |\n|---|---|\n";
  for (const auto& subcommand : command.subcommands) {
    text +=
        row("[" + code(subcommand.name) + "](#" + subcommand.name + ")", prose(subcommand.summary));
  }
  for (const auto& subcommand : command.subcommands) {
    text += section(subcommand);
  }
  return text;
}

}  // namespace actswap::tool
