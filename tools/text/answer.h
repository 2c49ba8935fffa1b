// Answers command lines that need only text, no model and so no LibTorch.
#pragma once

#include "command_text.h"

#include <optional>

namespace actswap::tool {

struct Answer {
  std::string out = {};
  std::string err = {};
  int code = 0;
};

/// The answer to --help, --version, `completion SHELL`, a command line without words (the overview
/// on stderr and exit code 2) and one with a mistyped word (exit code 2). Empty: the subcommand
/// must run.
/// @param words of the command line, without the program's name
std::optional<Answer> answer(const CommandText& command, const std::vector<std::string>& words,
                             int width);

/// Prints it. @return the exit code
int print(const Answer& answer);

}  // namespace actswap::tool
