#include "help.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <vector>

namespace actswap::tool {

namespace {

constexpr int kLeast = 40;
constexpr int kMost = 100;
constexpr int kNames = 30;  // where the help of an option begins, on lines that are wide enough

std::string spaces(int count) {
  return std::string(static_cast<std::size_t>(std::max(count, 0)), ' ');
}

int length(const std::string& text) {
  return static_cast<int>(text.size());
}

// "  NAME      help", with the help in a column of its own, or below where there is no room.
std::string entry(const std::string& name, const std::string& help, int width, int column) {
  const bool is_narrow = width < 2 * column;
  const int indent = is_narrow ? 8 : column;
  std::string text = "  " + name;
  if (is_narrow || length(text) + 2 > column) {
    return text + "\n" + spaces(indent) + wrapped(help, width, indent, indent) + "\n";
  }
  return text + spaces(column - length(text)) + wrapped(help, width, indent, column) + "\n";
}

// "--mean 0.5": an option and its words, which stay together where a line has room for them.
std::vector<std::string> pieces_of(const std::string& command, int width) {
  std::istringstream words(command);
  std::vector<std::string> pieces;
  for (std::string word; words >> word;) {
    const bool has_room = !pieces.empty() && length(pieces.back()) + 1 + length(word) <= width;
    if (has_room && !word.starts_with('-')) {
      pieces.back() += " " + word;
    } else {
      pieces.push_back(word);
    }
  }
  return pieces;
}

// Lines that a shell reads as one.
std::string example(const std::string& command, int width) {
  constexpr int kIndent = 6;
  constexpr int kEnd = 2;  // " \\"
  std::string text = spaces(kIndent - 2);
  int used = kIndent - 2;
  bool begins = true;
  for (const auto& piece : pieces_of(command, width - kIndent - kEnd)) {
    if (!begins && used + 1 + length(piece) + kEnd > width) {
      text += " \\\n" + spaces(kIndent);
      used = kIndent;
      begins = true;
    }
    text += (begins ? "" : " ") + piece;
    used += length(piece) + (begins ? 0 : 1);
    begins = false;
  }
  return text + "\n";
}

}  // namespace

int help_width() {
  const char* setting = std::getenv("COLUMNS");
  int width = setting == nullptr ? 0 : std::atoi(setting);
  winsize size{};
  if (width <= 0 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
    width = size.ws_col;
  }
  return std::clamp(width > 0 ? width : 80, kLeast, kMost);
}

std::string wrapped(const std::string& text, int width, int indent, int first) {
  std::istringstream words(text);
  std::string result;
  int used = first;
  bool is_line_empty = true;
  for (std::string word; words >> word;) {
    if (!is_line_empty && used + 1 + length(word) > width) {
      result += "\n" + spaces(indent);
      used = indent;
      is_line_empty = true;
    }
    result += (is_line_empty ? "" : " ") + word;
    used += length(word) + (is_line_empty ? 0 : 1);
    is_line_empty = false;
  }
  return result;
}

std::string overview_text(const CommandText& command, int width) {
  std::string text = wrapped(command.summary, width, 0, 0) +
                     "\n\nUsage: actswap SUBCOMMAND [OPTIONS]\n\nSubcommands:\n";
  for (const auto& subcommand : command.subcommands) {
    text += entry(subcommand.name, subcommand.summary, width, 16);
  }
  text += "\nOptions:\n";
  text += entry("-h, --help", "Print this help, or that of a subcommand", width, 16);
  text += entry("--version", "Print the versions of actswap and LibTorch", width, 16);
  return text + "\n" +
         wrapped("`actswap SUBCOMMAND --help` shows the options of a subcommand.", width, 0, 0) +
         "\n";
}

std::string help_text(const SubcommandText& subcommand, int width) {
  std::string text = wrapped(subcommand.summary, width, 0, 0) + "\n\n" +
                     wrapped("Usage: " + usage(subcommand), width, 4, 0) + "\n";
  if (!subcommand.arguments.empty()) {
    text += "\nArguments:\n";
    for (auto argument : subcommand.arguments) {
      argument.is_required = false;  // the usage says that
      argument.repeats = false;
      text += entry(upper(argument.name), full_help(argument), width, kNames);
    }
  }
  for (const auto& group : groups_of(subcommand)) {
    text += "\n" + group + ":\n";
    for (const auto& option : subcommand.options) {
      if (option.group == group) {
        text += entry(spelling(option, /*aligned=*/true), full_help(option), width, kNames);
      }
    }
    for (const auto& each : subcommand.examples) {
      if (each.group == group) {
        text += "  Example:\n" + example(each.command, width);
      }
    }
  }
  return text;
}

std::string version_text(const CommandText& command) {
  return "actswap " + command.version + " (LibTorch " + command.libtorch + ")\n";
}

}  // namespace actswap::tool
