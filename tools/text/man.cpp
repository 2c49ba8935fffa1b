#include "man.h"

namespace actswap::tool {

namespace {

// A dash that may be copied, and no line that troff takes for a request.
std::string troff(const std::string& text) {
  std::string result = text.starts_with('.') || text.starts_with('\'') ? "\\&" : "";
  for (const char c : text) {
    result += c == '-' ? "\\-" : c == '\\' ? "\\e" : c == '~' ? "\\(ti" : std::string(1, c);
  }
  return result;
}

std::string head(const CommandText& command, const std::string& name, const std::string& summary) {
  return ".TH " + upper(troff(name)) + " 1 \"\" \"actswap " + command.version + "\"\n.SH NAME\n" +
         troff(name) + " \\- " + troff(summary) + "\n";
}

std::string entry(const std::string& name, const std::string& help) {
  return ".TP\n.B " + troff(name) + "\n" + troff(help) + "\n";
}

}  // namespace

std::string overview_page(const CommandText& command) {
  std::string text = head(command, "actswap", command.summary) +
                     ".SH SYNOPSIS\n.B actswap\n.I SUBCOMMAND\n[OPTIONS]\n.SH SUBCOMMANDS\n";
  for (const auto& subcommand : command.subcommands) {
    text += entry("actswap-" + subcommand.name + "(1)", subcommand.summary);
  }
  text += ".SH OPTIONS\n" + entry("-h, --help", "Print the help, or that of a subcommand") +
          entry("--version", "Print the versions of actswap and LibTorch");
  text += ".SH \"EXIT STATUS\"\n";
  text += entry("0", "done");
  text += entry("1", "a bug in actswap");
  text += entry("2", "an option, a name, or data that makes no sense");
  text += entry("3",
                "a file that cannot be read or written, is damaged or not supported; not "
                "enough memory");
  text += entry("4", "verification failed");
  text += entry("5", "the model is worse than allowed, or the training diverged");
  text += entry("128 + n", "stopped by signal n");
  return text;
}

std::string page(const CommandText& command, const SubcommandText& subcommand) {
  std::string text = head(command, "actswap-" + subcommand.name, subcommand.summary) +
                     ".SH SYNOPSIS\n.B " + troff(usage(subcommand)) + "\n";
  if (!subcommand.arguments.empty()) {
    text += ".SH ARGUMENTS\n";
    for (const auto& argument : subcommand.arguments) {
      text += entry(upper(argument.name), argument.help);
    }
  }
  text += ".SH OPTIONS\n";
  for (const auto& group : groups_of(subcommand)) {
    text += ".SS " + troff(group) + "\n";
    for (const auto& option : subcommand.options) {
      if (option.group == group) {
        text += entry(spelling(option, /*aligned=*/false), full_help(option));
      }
    }
  }
  if (!subcommand.examples.empty()) {
    text += ".SH EXAMPLES\n";
    for (const auto& each : subcommand.examples) {
      text += ".nf\n" + troff(each.command) + "\n.fi\n";
    }
  }
  return text + ".SH \"SEE ALSO\"\n.BR actswap (1)\n";
}

}  // namespace actswap::tool
