// The command's description: the options of all subcommands as plain text. Help, man pages,
// completion and the check for mistyped words use it without LibTorch. The build generates the text
// from the definitions in tools/*.cpp (describe.h).
#pragma once

#include <string>
#include <vector>

namespace actswap::tool {

struct OptionText {
  std::string short_name = {};            ///< one letter; may be empty
  std::string name = {};                  ///< "output" for --output; of an argument: "model"
  std::string value = {};                 ///< FILE, NUMBER, ...; empty: a flag
  std::vector<std::string> choices = {};  ///< the words that it takes; empty: any
  std::string default_value = {};
  std::string range = {};  ///< "0 or more"
  std::string group = {};
  std::string help = {};
  bool is_required = false;
  bool is_list = false;  ///< values with commas between them
  bool repeats = false;  ///< may be given several times; of an argument: takes several words
};

struct ExampleText {
  std::string group;
  std::string command;
};

struct SubcommandText {
  std::string name = {};
  std::string summary = {};
  std::vector<OptionText> arguments = {};  ///< words without a dash, in order
  std::vector<OptionText> options = {};    ///< of one group in a row
  std::vector<ExampleText> examples = {};  ///< one for a group, or none
};

struct CommandText {
  std::string version = {};
  std::string libtorch = {};  ///< the version that it was built for
  std::string summary = {};
  std::vector<SubcommandText> subcommands = {};
};

/// Generated.
extern const CommandText kCommandText;

/// None: null.
const SubcommandText* find_subcommand(const CommandText& command, const std::string& name);
/// Finds it by "--name", "--name=value", "-n" or "-nvalue". Null: none.
const OptionText* find_option(const SubcommandText& subcommand, const std::string& word);

/// "-o, --output FILE"; without a short name as wide, if `aligned`.
std::string spelling(const OptionText& option, bool aligned);
/// "actswap convert MODEL -o FILE [OPTIONS]": with all that is required.
std::string usage(const SubcommandText& subcommand);
/// The help, with range, choices and default behind it.
std::string full_help(const OptionText& option);
/// "auto, once or each-pass"
std::string joined_by_or(const std::vector<std::string>& words);
/// An argument's name as the usage has it.
std::string upper(std::string text);
/// In the order in which they appear.
std::vector<std::string> groups_of(const SubcommandText& subcommand);

}  // namespace actswap::tool
