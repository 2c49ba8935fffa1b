#include "answer.h"
#include "check_words.h"
#include "completion.h"
#include "help.h"

#include <actswap/base/error.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace actswap::tool {

namespace {

bool is_help(const std::string& word) {
  return word == "--help" || word == "-h";
}

Answer complete(const CommandText& command, const std::vector<std::string>& words) {
  if (words.size() != 2) {
    throw UsageError("Expected `actswap completion SHELL`, with one of bash, zsh, fish");
  }
  return {.out = completion(command, words[1])};
}

std::optional<Answer> answer_or_throw(const CommandText& command,
                                      const std::vector<std::string>& words, int width) {
  const auto& name = words.front();
  if (is_help(name) || (name == "help" && words.size() == 1)) {
    return Answer{.out = overview_text(command, width)};
  }
  if (name == "--version") {
    return Answer{.out = version_text(command)};
  }
  const bool asks = name == "help" || std::ranges::any_of(words, is_help);
  const auto& subcommand = expect_subcommand(command, name == "help" ? words[1] : name);
  if (asks) {
    return Answer{.out = help_text(subcommand, width)};
  }
  check_words(subcommand, {words.begin() + 1, words.end()});
  if (name == "completion") {
    return complete(command, words);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Answer> answer(const CommandText& command, const std::vector<std::string>& words,
                             int width) {
  if (words.empty()) {
    return Answer{.err = overview_text(command, width), .code = static_cast<int>(ErrorKind::usage)};
  }
  try {
    return answer_or_throw(command, words, width);
  } catch (const UsageError& error) {
    return Answer{.err = std::string("error: ") + error.what() + "\n",
                  .code = static_cast<int>(error.kind())};
  }
}

int print(const Answer& answer) {
  std::fputs(answer.err.c_str(), stderr);
  std::fputs(answer.out.c_str(), stdout);
  if (std::fflush(stdout) == 0) {
    return answer.code;
  }
  std::fprintf(stderr, "error: Cannot write to standard output: %s\n", std::strerror(errno));
  return static_cast<int>(ErrorKind::file);
}

}  // namespace actswap::tool
