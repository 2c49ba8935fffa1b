#include "check_words.h"

#include <actswap/base/error.h>
#include <actswap/base/nearest.h>

#include <algorithm>
#include <charconv>

namespace actswap::tool {

namespace {

bool is_number(const std::string& word) {
  double value = 0.0;
  const char* end = word.data() + word.size();
  const auto [read, error] = std::from_chars(word.data(), end, value);
  return error == std::errc() && read == end;
}

bool is_option(const std::string& word) {
  return word.size() > 1 && word.starts_with('-') && !is_number(word);
}

std::string see_help(const SubcommandText& subcommand) {
  return " (see actswap " + subcommand.name + " --help)";
}

[[noreturn]] void refuse_option(const SubcommandText& subcommand, const std::string& word) {
  const auto name = word.substr(0, word.find('='));
  std::vector<std::string> known;
  for (const auto& option : subcommand.options) {
    known.push_back("--" + option.name);
  }
  throw UsageError(subcommand.name + " has no option '" + name + "'" + did_you_mean(name, known) +
                   see_help(subcommand));
}

std::string commas_expected(const OptionText& option, const std::string& list) {
  return "Expected commas between the values of --" + option.name + ": --" + option.name + " " +
         list;
}

// "--mean 0.4 0.4 0.4": numbers that follow a number are values too.
void check_numbers_of_list(const OptionText& option, const std::vector<std::string>& words,
                           std::size_t at) {
  std::string list = words[at];
  std::size_t end = at + 1;
  for (; end < words.size() && is_number(words[at]) && is_number(words[end]); ++end) {
    list += "," + words[end];
  }
  if (end > at + 1) {
    throw UsageError(commas_expected(option, list));
  }
}

}  // namespace

const SubcommandText& expect_subcommand(const CommandText& command, const std::string& name) {
  if (const auto* found = find_subcommand(command, name)) {
    return *found;
  }
  if (is_option(name)) {
    throw UsageError("Expected a subcommand before '" + name + "' (see actswap --help)");
  }
  std::vector<std::string> known;
  std::string list;
  for (const auto& subcommand : command.subcommands) {
    known.push_back(subcommand.name);
    list += (list.empty() ? "" : ", ") + subcommand.name;
  }
  const auto guess = did_you_mean(name, known);
  throw UsageError("There is no subcommand '" + name + "'" + (guess.empty() ? "." : guess) +
                   " Expected one of " + list + " (see actswap --help)");
}

void check_words(const SubcommandText& subcommand, const std::vector<std::string>& words) {
  std::vector<std::string> arguments;
  std::string suspicion;  // "--inputs x mask": the likely cause of too many arguments
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto& word = words[i];
    if (word == "--") {
      arguments.insert(arguments.end(), words.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                       words.end());
      break;
    }
    if (!is_option(word)) {
      arguments.push_back(word);
      continue;
    }
    const auto* option = find_option(subcommand, word);
    if (option == nullptr) {
      refuse_option(subcommand, word);
    }
    const bool is_attached =
        word.starts_with("--") ? word.find('=') != std::string::npos : word.size() > 2;
    if (option->value.empty() || is_attached) {
      continue;
    }
    if (++i == words.size() || (is_option(words[i]) && find_option(subcommand, words[i]))) {
      throw UsageError("Expected " + option->value + " after " + word + see_help(subcommand));
    }
    if (option->is_list) {
      check_numbers_of_list(*option, words, i);
      if (i + 1 < words.size() && !is_option(words[i + 1])) {
        suspicion = commas_expected(*option, words[i] + "," + words[i + 1]);
      }
    }
  }
  const bool takes_more = std::ranges::any_of(subcommand.arguments, &OptionText::repeats);
  if (!takes_more && arguments.size() > subcommand.arguments.size()) {
    throw UsageError((suspicion.empty() ? "Expected " + usage(subcommand) + ", but got '" +
                                              arguments[subcommand.arguments.size()] + "' as well"
                                        : suspicion) +
                     see_help(subcommand));
  }
}

}  // namespace actswap::tool
