// Options of the command line that fill in the fields of a request, which otherwise stay empty.
#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

namespace actswap::tool {

/// A number. The help shows the default, which is the library's.
template <typename T>
CLI::Option* add_number(CLI::App& app, const std::string& name, std::optional<T>& value,
                        std::type_identity_t<T> default_value, const std::string& help) {
  std::ostringstream text;
  text << default_value;
  return app.add_option(name, value, help)->default_str(text.str());
}

/// A word that `parse` reads: a function of the library, or `unless_auto` of one.
template <typename T, typename Parse>
CLI::Option* add_word(CLI::App& app, const std::string& name, std::optional<T>& value, Parse parse,
                      const std::string& default_word, const std::string& help) {
  const auto read = [&value, parse](const std::string& text) { value = parse(text); };
  return app.add_option_function<std::string>(name, read, help)
      ->type_name("WORD")
      ->default_str(default_word);
}

/// "auto" leaves the choice to the library.
template <typename T, typename View>
auto unless_auto(T (*parse)(View)) {
  return [parse](const std::string& text) {
    return text == "auto" ? std::optional<T>() : std::optional<T>(parse(text));
  };
}

/// Whether the word is this one; "auto" leaves the choice to the library.
inline auto is_word(const std::string& word) {
  return [word](const std::string& text) {
    return text == "auto" ? std::optional<bool>() : std::optional(text == word);
  };
}

/// The words that an option takes.
CLI::Validator one_of(const std::vector<std::string>& words);
/// Numbers that an option takes.
CLI::Validator at_least(double least);
CLI::Validator above(double bound);
CLI::Validator between(double least, double most);
/// Numbers below `bound`, from `least` on.
CLI::Validator from_to_below(double least, double bound);
/// "500MB" (of 1000 bytes each step), "4GiB" (of 1024) or a number of bytes, as that number.
CLI::Validator size_in_bytes();

/// Options that have no effect unless one of some others is given.
struct Dependence {
  std::vector<std::string> options;
  std::vector<std::string> on_any_of;
};
/// A dry run does nothing, so nothing is missing there. @throws UsageError
void check_dependences(const CLI::App& subcommand, const std::vector<Dependence>& dependences);

/// A dry run writes no file, so it needs no --output.
/// @param arguments that will be parsed, the subcommand's name first
void allow_dry_run(CLI::App& app, const std::vector<std::string>& arguments);

/// Refuses values that CLI11 accepts as numbers although they are not: 2^64, 1e999, nan. Refuses
/// empty values too, which come from a variable of the shell that is not set.
void check_values(CLI::App& subcommand);

}  // namespace actswap::tool
