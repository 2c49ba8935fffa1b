#include "options.h"

#include <actswap/base/error.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace actswap::tool {

namespace {

bool is_given(const CLI::App& subcommand, const std::string& name) {
  const auto* option = subcommand.get_option_no_throw(name);
  return option != nullptr && option->count() > 0;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  }
  return text;
}

template <typename T>
std::string refuse(const std::string& range, const std::string& text) {
  T value{};
  const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const char* end = text.data() + text.size();
  const auto [read, error] = std::from_chars(begin, end, value);
  const bool is_number = error == std::errc() && read == end && std::isfinite(value);
  return is_number ? "" : "expected " + range + ", but got '" + text + "'";
}

template <typename T>
void check_number(CLI::Option& option, const std::string& range) {
  option.check([range](const std::string& text) { return refuse<T>(range, text); });
}

}  // namespace

void check_dependences(const CLI::App& subcommand, const std::vector<Dependence>& dependences) {
  if (is_given(subcommand, "--dry-run")) {
    return;
  }
  const auto given = [&](const std::string& name) { return is_given(subcommand, name); };
  for (const auto& [options, on_any_of] : dependences) {
    const auto option = std::ranges::find_if(options, given);
    if (option != options.end() && std::ranges::none_of(on_any_of, given)) {
      throw UsageError(*option + " has no effect without " + joined(on_any_of));
    }
  }
}

void check_numbers(CLI::App& subcommand) {
  for (auto* option : subcommand.get_options([](CLI::Option*) { return true; })) {
    const auto type = option->get_type_name();
    if (type.starts_with("UINT")) {
      check_number<std::uint64_t>(*option, "a whole number from 0 to 18446744073709551615");
    } else if (type.starts_with("INT")) {
      check_number<std::int64_t>(*option, "a whole number of at most 63 bits");
    } else if (type.starts_with("FLOAT")) {
      check_number<double>(*option, "a finite number");
    }
  }
}

}  // namespace actswap::tool
