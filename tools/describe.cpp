#include "describe.h"
#include "groups.h"
#include "subcommand.h"

#include <torch/version.h>

#include <map>
#include <sstream>
#include <string_view>

namespace actswap::tool {

namespace {

constexpr std::string_view kList = ",...";

// What CLI11 calls a value, and what people do.
std::string value_name(const std::string& type) {
  static const std::map<std::string, std::string> kNames = {
      {"FLOAT", "NUMBER"}, {"INT", "N"}, {"UINT", "N"}};
  const auto found = kNames.find(type);
  return found == kNames.end() ? type : found->second;
}

// CLI11 joins the type and the validators' descriptions by colons: "TEXT:{auto,once}".
void read_type(const std::string& type, OptionText& text) {
  std::istringstream parts(type);
  std::string part;
  std::getline(parts, part, ':');
  text.value = value_name(part);
  while (std::getline(parts, part, ':')) {
    if (part.starts_with('{') && part.ends_with('}')) {
      std::istringstream words(part.substr(1, part.size() - 2));
      for (std::string word; std::getline(words, word, ',');) {
        text.choices.push_back(word);
      }
    } else {
      text.range += (text.range.empty() ? "" : ", ") + part;
    }
  }
}

OptionText describe(const CLI::Option& option) {
  OptionText text;
  const bool is_argument = !option.nonpositional();
  text.name = is_argument ? option.get_name() : option.get_lnames().front();
  if (!option.get_snames().empty()) {
    text.short_name = option.get_snames().front();
  }
  if (option.get_items_expected_max() > 0) {
    read_type(option.get_type_name(), text);
    text.default_value = option.get_default_str() == "[]" ? "" : option.get_default_str();
    // Names with commas inside are split by the subcommand.
    const bool is_split_later = text.value.ends_with(kList);
    text.is_list = is_split_later || option.get_delimiter() != '\0';
    text.value.resize(text.value.size() - (is_split_later ? kList.size() : 0));
    text.repeats = option.get_items_expected_max() > 1 && !text.is_list;
  }
  text.group = option.get_group();
  text.help = option.get_description();
  text.is_required = option.get_required();
  return text;
}

SubcommandText describe_subcommand(const CLI::App& subcommand) {
  SubcommandText text;
  text.name = subcommand.get_name();
  text.summary = subcommand.get_description();
  std::vector<OptionText> general;
  for (const auto* option : subcommand.get_options()) {
    auto described = describe(*option);
    auto& to = !option->nonpositional()          ? text.arguments
               : option->get_group() == kGeneral ? general
                                                 : text.options;
    to.push_back(std::move(described));
  }
  general.push_back(
      {.short_name = "h", .name = "help", .group = kGeneral, .help = "Print this help"});
  text.options.insert(text.options.end(), general.begin(), general.end());
  for (const auto& [group, command] : examples_of(subcommand)) {
    text.examples.push_back({group, command});
  }
  return text;
}

class Source {
 public:
  void add(const std::string& key, const std::string& text) {
    if (!text.empty()) {
      out_ << "." << key << " = " << literal(text) << ", ";
    }
  }
  void add(const std::string& key, bool value) {
    if (value) {
      out_ << "." << key << " = true, ";
    }
  }
  void add(const std::string& key, const std::vector<std::string>& words) {
    list(key, words, [this](const std::string& word) { out_ << literal(word); });
  }
  void add(const std::string& key, const std::vector<OptionText>& options) {
    list(key, options, [this](const OptionText& option) {
      out_ << "{";
      add("short_name", option.short_name);
      add("name", option.name);
      add("value", option.value);
      add("choices", option.choices);
      add("default_value", option.default_value);
      add("range", option.range);
      add("group", option.group);
      add("help", option.help);
      add("is_required", option.is_required);
      add("is_list", option.is_list);
      add("repeats", option.repeats);
      out_ << "}";
    });
  }
  void add(const std::string& key, const std::vector<ExampleText>& examples) {
    list(key, examples, [this](const ExampleText& example) {
      out_ << "{" << literal(example.group) << ", " << literal(example.command) << "}";
    });
  }
  void add(const std::string& key, const std::vector<SubcommandText>& subcommands) {
    list(key, subcommands, [this](const SubcommandText& subcommand) {
      out_ << "{";
      add("name", subcommand.name);
      add("summary", subcommand.summary);
      add("arguments", subcommand.arguments);
      add("options", subcommand.options);
      add("examples", subcommand.examples);
      out_ << "}";
    });
  }
  std::string text() const { return out_.str(); }

 private:
  template <typename T, typename Write>
  void list(const std::string& key, const std::vector<T>& items, Write write) {
    if (items.empty()) {
      return;
    }
    out_ << "." << key << " = {";
    for (const auto& item : items) {
      write(item);
      out_ << ",\n";
    }
    out_ << "}, ";
  }

  static std::string literal(const std::string& text) {
    std::string result = "\"";
    for (const char c : text) {
      result += c == '\n' ? "\\n" : (c == '"' || c == '\\' ? "\\" : "") + std::string(1, c);
    }
    return result + "\"";
  }

  std::ostringstream out_;
};

}  // namespace

CommandText describe(const CLI::App& app) {
  CommandText text;
  text.version = ACTSWAP_VERSION;
  text.libtorch = TORCH_VERSION;
  text.summary = app.get_description();
  for (const auto* subcommand : app.get_subcommands([](const CLI::App*) { return true; })) {
    text.subcommands.push_back(describe_subcommand(*subcommand));
  }
  return text;
}

std::string as_source(const CommandText& command) {
  Source source;
  source.add("version", command.version);
  source.add("libtorch", command.libtorch);
  source.add("summary", command.summary);
  source.add("subcommands", command.subcommands);
  return "// Generated from the definitions of the options.\n#include \"text/command_text.h\"\n\n"
         "const actswap::tool::CommandText actswap::tool::kCommandText = {" +
         source.text() + "};\n";
}

}  // namespace actswap::tool
