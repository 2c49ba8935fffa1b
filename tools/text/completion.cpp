#include "completion.h"

#include <actswap/base/error.h>

namespace actswap::tool {

namespace {

// A SPEC is sizes, or a file of arrays.
bool is_file(const OptionText& option) {
  return option.value == "FILE" || option.value == "DATA" || option.value == "SPEC";
}

bool is_folder(const OptionText& option) {
  return option.value == "FOLDER";
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) {
    text += (text.empty() ? "" : " ") + word;
  }
  return text;
}

// For single quotes of a shell. In fish a backslash counts there too.
std::string quoted(const std::string& text, const std::string& quote, bool is_fish = false) {
  std::string result;
  for (const char c : text) {
    result += c == '\'' ? quote : is_fish && c == '\\' ? std::string("\\\\") : std::string(1, c);
  }
  return "'" + result + "'";
}

// As much as a line has room for.
std::string brief(const OptionText& option) {
  constexpr std::size_t kMost = 64;
  return option.help.size() <= kMost
             ? option.help
             : option.help.substr(0, option.help.rfind(' ', kMost - 4)) + " ...";
}

// The names of an option, as a pattern of `case`.
std::string pattern(const OptionText& option) {
  return (option.short_name.empty() ? "" : "-" + option.short_name + "|") + "--" + option.name;
}

std::string bash_values(const OptionText& option) {
  if (!option.choices.empty()) {
    return "COMPREPLY=($(compgen -W '" + joined(option.choices) + "' -- \"$word\"))";
  }
  return is_file(option)     ? "compopt -o default; COMPREPLY=()"
         : is_folder(option) ? "compopt -o dirnames; COMPREPLY=()"
                             : "COMPREPLY=()";
}

std::string bash(const CommandText& command) {
  std::string names;
  std::string cases;
  for (const auto& subcommand : command.subcommands) {
    names += subcommand.name + " ";
    std::string options;
    std::string values;
    for (const auto& option : subcommand.options) {
      options += (options.empty() ? "" : " ") + std::string("--") + option.name;
      if (!option.value.empty()) {
        values += "        " + pattern(option) + ") " + bash_values(option) + "; return ;;\n";
      }
    }
    cases += "    " + subcommand.name + ")\n      options='" + options + "'\n";
    if (!values.empty()) {
      cases += "      case \"$before\" in\n" + values + "      esac\n";
    }
    for (const auto& argument : subcommand.arguments) {
      if (!argument.choices.empty()) {
        cases += "      words='" + joined(argument.choices) + "'\n";
      }
    }
    cases += "      ;;\n";
  }
  return "# bash completion for actswap. Load it with: source <(actswap completion bash)\n"
         "_actswap() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
         "  local options= words=\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
         "    COMPREPLY=($(compgen -W '" +
         names +
         "--help --version' -- \"$word\"))\n"
         "    return\n"
         "  fi\n"
         "  case \"${COMP_WORDS[1]}\" in\n" +
         cases +
         "  esac\n"
         "  case \"$word\" in\n"
         "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
         "    *)\n"
         "      COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "      [ -n \"$words\" ] || compopt -o default\n"
         "      ;;\n"
         "  esac\n"
         "}\n"
         "complete -F _actswap actswap\n";
}

// In a specification of _arguments some characters have a meaning.
std::string zsh_text(const std::string& text) {
  std::string result;
  for (const char c : text) {
    result += std::string(c == '[' || c == ']' || c == ':' || c == '\\' ? "\\" : "") + c;
  }
  return result;
}

std::string zsh_value(const OptionText& option) {
  const auto action = !option.choices.empty() ? "(" + joined(option.choices) + ")"
                      : is_file(option)       ? "_files"
                      : is_folder(option)     ? "_files -/"
                                              : " ";
  return ":" + zsh_text(option.value.empty() ? option.name : option.value) + ":" + action;
}

std::string zsh(const CommandText& command) {
  const std::string quote = "'\\''";
  std::string names;
  std::string cases;
  for (const auto& subcommand : command.subcommands) {
    names += "    " + quoted(subcommand.name + ":" + zsh_text(subcommand.summary), quote) + "\n";
    cases += "    " + subcommand.name + ")\n      _arguments -S \\\n";
    for (const auto& option : subcommand.options) {
      const auto value = option.value.empty() ? "" : zsh_value(option);
      const std::string repeated = option.repeats ? "*" : "";
      const auto spell = [&](const std::string& name) {
        cases += "        " +
                 quoted(repeated + name + "[" + zsh_text(brief(option)) + "]" + value, quote) +
                 " \\\n";
      };
      if (!option.short_name.empty()) {
        spell("-" + option.short_name);
      }
      spell("--" + option.name + (option.value.empty() ? "" : "="));
    }
    for (const auto& argument : subcommand.arguments) {
      cases +=
          "        " + quoted((argument.repeats ? "*" : "") + zsh_value(argument), quote) + " \\\n";
    }
    cases += "        && return\n      ;;\n";
  }
  return "#compdef actswap\n"
         "# zsh completion for actswap. Save it as _actswap in a folder of $fpath.\n"
         "_actswap() {\n"
         "  local -a subcommands\n"
         "  subcommands=(\n" +
         names +
         "  )\n"
         "  if (( CURRENT == 2 )); then\n"
         "    _describe subcommand subcommands\n"
         "    _arguments '--help[Print the help]' '--version[Print the version]'\n"
         "    return\n"
         "  fi\n"
         "  local subcommand=$words[2]\n"
         "  shift words\n"
         "  (( CURRENT-- ))\n"
         "  case $subcommand in\n" +
         cases +
         "  esac\n"
         "}\n"
         "if [ \"$funcstack[1]\" = _actswap ]; then _actswap \"$@\"; else compdef _actswap "
         "actswap; "
         "fi\n";
}

std::string fish(const CommandText& command) {
  const std::string quote = "\\'";
  std::string text =
      "# fish completion for actswap. Load it with: actswap completion fish | source\n"
      "complete -c actswap -f -n __fish_use_subcommand -l help -s h -d 'Print the help'\n"
      "complete -c actswap -f -n __fish_use_subcommand -l version -d 'Print the version'\n";
  for (const auto& subcommand : command.subcommands) {
    text += "complete -c actswap -f -n __fish_use_subcommand -a " + subcommand.name + " -d " +
            quoted(subcommand.summary, quote, true) + "\n";
    const auto begin =
        "complete -c actswap -n '__fish_seen_subcommand_from " + subcommand.name + "'";
    for (const auto& option : subcommand.options) {
      text += begin + " -l " + option.name +
              (option.short_name.empty() ? "" : " -s " + option.short_name);
      if (!option.choices.empty()) {
        text += " -x -a " + quoted(joined(option.choices), quote, true);
      } else if (is_folder(option)) {
        text += " -x -a '(__fish_complete_directories)'";
      } else if (!option.value.empty()) {
        text += is_file(option) ? " -r" : " -x";
      }
      text += " -d " + quoted(brief(option), quote, true) + "\n";
    }
    for (const auto& argument : subcommand.arguments) {
      if (!argument.choices.empty()) {
        text += begin + " -f -a " + quoted(joined(argument.choices), quote, true) + "\n";
      }
    }
  }
  return text;
}

}  // namespace

std::string completion(const CommandText& command, const std::string& shell) {
  if (shell == "bash") {
    return bash(command);
  }
  if (shell == "zsh") {
    return zsh(command);
  }
  if (shell == "fish") {
    return fish(command);
  }
  throw UsageError("Expected bash, zsh or fish, but got '" + shell + "'");
}

}  // namespace actswap::tool
