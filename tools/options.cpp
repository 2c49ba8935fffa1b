#include "options.h"

#include "text/command_text.h"

#include <actswap/base/error.h>
#include <actswap/base/nearest.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <sstream>
#include <string>

namespace actswap::tool {

namespace {

bool is_given(const CLI::App& subcommand, const std::string& name) {
  const auto* option = subcommand.get_option_no_throw(name);
  return option != nullptr && option->count() > 0;
}

std::string text_of(double number) {
  std::ostringstream text;
  text << number;
  return text.str();
}

// check_numbers refuses anything but numbers.
CLI::Validator in_range(const std::string& range, const std::function<bool(double)>& is_inside) {
  const auto check = [=](const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    const bool is_number = end != text.c_str() && *end == '\0' && std::isfinite(value);
    return !is_number || is_inside(value) ? std::string()
                                          : "expected " + range + ", but got '" + text + "'";
  };
  return CLI::Validator(check, range);
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

CLI::Validator one_of(const std::vector<std::string>& words) {
  const auto check = [words](const std::string& text) {
    return std::ranges::find(words, text) != words.end()
               ? std::string()
               : "expected " + joined_by_or(words) + ", but got '" + text + "'" +
                     did_you_mean(text, words);
  };
  return CLI::Validator(check, "{" + CLI::detail::join(words, ",") + "}");
}

CLI::Validator at_least(double least) {
  return in_range(text_of(least) + " or more", [=](double value) { return value >= least; });
}

CLI::Validator above(double bound) {
  return in_range("above " + text_of(bound), [=](double value) { return value > bound; });
}

CLI::Validator between(double least, double most) {
  return in_range(text_of(least) + " to " + text_of(most),
                  [=](double value) { return value >= least && value <= most; });
}

CLI::Validator from_to_below(double least, double bound) {
  return in_range(text_of(least) + " or more and below " + text_of(bound),
                  [=](double value) { return value >= least && value < bound; });
}

CLI::Validator size_in_bytes() {
  const auto convert = [](std::string& text) {
    const auto given = text;
    constexpr std::size_t kShort = 6;  // fewer bytes than anything needs: a forgotten unit
    if (given.size() < kShort && given.find_first_not_of("0123456789") == std::string::npos &&
        given != "0") {
      return "expected a size with its unit, such as 500MB or 4GiB, but got '" + given + "'";
    }
    try {
      return CLI::AsSizeValue(/*kb_is_1000=*/true)(text);
    } catch (const CLI::ValidationError&) {
      return "expected a size such as 500MB or 4GiB, but got '" + given + "'";
    }
  };
  return CLI::Validator(convert, "");
}

void check_dependences(const CLI::App& subcommand, const std::vector<Dependence>& dependences) {
  if (is_given(subcommand, "--dry-run")) {
    return;
  }
  const auto given = [&](const std::string& name) { return is_given(subcommand, name); };
  for (const auto& [options, on_any_of] : dependences) {
    const auto option = std::ranges::find_if(options, given);
    if (option != options.end() && std::ranges::none_of(on_any_of, given)) {
      throw UsageError(*option + " has no effect without " + joined_by_or(on_any_of));
    }
  }
}

void allow_dry_run(CLI::App& app, const std::vector<std::string>& arguments) {
  const auto is_dry = [](const std::string& word) {
    return word == "--dry-run" || word == "--dry-run=true";
  };
  if (std::ranges::none_of(arguments, is_dry)) {
    return;
  }
  for (auto* subcommand : app.get_subcommands([](CLI::App*) { return true; })) {
    if (auto* output = subcommand->get_option_no_throw("--output")) {
      output->required(false);
    }
  }
}

void check_values(CLI::App& subcommand) {
  for (auto* option : subcommand.get_options([](CLI::Option*) { return true; })) {
    const auto type = option->get_type_name();
    const auto expected = type == "FILE"     ? "the path of a file"
                          : type == "FOLDER" ? "the path of a folder"
                          : type == "DATA"   ? "the path of a file or folder"
                                             : "a value";
    option->check([expected](const std::string& text) {
      return text.empty() ? std::string("expected ") + expected + ", but got ''" : "";
    });
    if (type.starts_with("UINT")) {
      check_number<std::uint64_t>(*option, "a whole number from 0 to 18446744073709551615");
    } else if (type.starts_with("INT")) {
      check_number<std::int64_t>(*option, "a whole number below 2^63");
    } else if (type.starts_with("FLOAT")) {
      check_number<double>(*option, "a finite number");
    }
  }
}

}  // namespace actswap::tool
