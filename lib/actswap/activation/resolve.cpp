// From a name to a row with its parameters, and back.
#include <actswap/activation/activation.h>
#include <actswap/base/error.h>
#include <actswap/base/nearest.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>

namespace actswap {

namespace {

std::string number_text(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

// TorchScript tells 2.0 from 2: a float must look like one.
std::string float_literal(double value) {
  auto text = number_text(value);
  if (text.find_first_of(".en") == std::string::npos) {
    text += ".0";
  }
  return text;
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) {
    return "";
  }
  return std::string(text.substr(begin, text.find_last_not_of(kSpace) - begin + 1));
}

// For names only: the '-' of a number is not one of these.
std::string normalised(std::string_view text) {
  std::string name = trimmed(text);
  for (char& c : name) {
    c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return name;
}

std::vector<std::string> known_names() {
  std::vector<std::string> names;
  for (const auto& row : activations()) {
    names.push_back(row.name);
    for (const auto& alias : row.aliases) {
      names.push_back(alias.name);
    }
  }
  return names;
}

[[noreturn]] void throw_unknown(const std::string& name) {
  const auto names = known_names();
  std::string list;
  for (const auto& known : names) {
    list += (list.empty() ? "" : ", ") + known;
  }
  const auto guess = did_you_mean(name, names);
  throw UsageError("Unknown activation '" + name + "'" + (guess.empty() ? "." : guess) +
                   " Known: " + list);
}

struct Found {
  ActivationSpec spec;
  bool by_alias;
};

Found find(const std::string& name) {
  for (const auto& row : activations()) {
    if (row.name == name) {
      ActivationSpec spec{&row, {}};
      for (const auto& parameter : row.parameters) {
        spec.parameters.push_back(parameter.default_value);
      }
      return {std::move(spec), false};
    }
    for (const auto& alias : row.aliases) {
      if (alias.name == name) {
        return {{&row, alias.parameters}, true};
      }
    }
  }
  throw_unknown(name);
}

double parse_number(const std::string& text, const std::string& whole) {
  double value = 0.0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size() ||
      !std::isfinite(value)) {
    throw UsageError("Expected a finite number in '" + whole + "', but got '" + text + "'");
  }
  return value;
}

std::size_t parameter_index(const Activation& row, const std::string& name,
                            const std::string& whole) {
  std::string known;
  for (std::size_t i = 0; i < row.parameters.size(); ++i) {
    if (row.parameters[i].name == name) {
      return i;
    }
    known += (known.empty() ? "" : ", ") + row.parameters[i].name;
  }
  throw UsageError("'" + row.name + "' has no parameter '" + name + "' (in '" + whole + "'); " +
                   (known.empty() ? "it has none" : "it has " + known));
}

void set_parameters(ActivationSpec& spec, const std::string& arguments, const std::string& whole) {
  const Activation& row = *spec.activation;
  std::vector<bool> given(row.parameters.size(), false);
  std::size_t position = 0;
  bool named = false;
  for (std::size_t begin = 0; begin <= arguments.size();) {
    const auto end = std::min(arguments.find(',', begin), arguments.size());
    const auto argument = arguments.substr(begin, end - begin);
    begin = end + 1;
    const auto equals = argument.find('=');
    std::size_t index = position++;
    if (equals != std::string::npos) {
      named = true;
      index = parameter_index(row, normalised(argument.substr(0, equals)), whole);
    } else if (named) {
      throw UsageError("Expected parameters by position before those by name in '" + whole + "'");
    }
    if (index >= given.size()) {
      throw UsageError("'" + row.name + "' takes " + std::to_string(given.size()) +
                       (given.size() == 1 ? " parameter" : " parameters") + ", but '" + whole +
                       "' gives more");
    }
    if (given[index]) {
      throw UsageError("'" + whole + "' gives '" + row.parameters[index].name + "' twice");
    }
    given[index] = true;
    const auto number = equals == std::string::npos ? argument : argument.substr(equals + 1);
    spec.parameters[index] = parse_number(trimmed(number), whole);
  }
}

const ActivationAlias* alias_of(const ActivationSpec& spec) {
  for (const auto& alias : spec.activation->aliases) {
    if (alias.parameters == spec.parameters) {
      return &alias;
    }
  }
  return nullptr;
}

// "leaky_relu(slope=0.1)"; defaults are written only where all are asked for.
std::string with_parameters(const ActivationSpec& spec, bool all) {
  const auto& parameters = spec.activation->parameters;
  std::string arguments;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (all || spec.parameters[i] != parameters[i].default_value) {
      arguments += (arguments.empty() ? "" : ",") + parameters[i].name + "=" +
                   number_text(spec.parameters[i]);
    }
  }
  return arguments.empty() ? spec.activation->name : spec.activation->name + "(" + arguments + ")";
}

// An expression with the parameters in the places of their names.
std::string filled_in(std::string text, const ActivationSpec& spec) {
  for (std::size_t i = 0; i < spec.parameters.size(); ++i) {
    const auto placeholder = "{" + spec.activation->parameters[i].name + "}";
    for (auto at = text.find(placeholder); at != std::string::npos; at = text.find(placeholder)) {
      text.replace(at, placeholder.size(), float_literal(spec.parameters[i]));
    }
  }
  return text;
}

}  // namespace

ActivationSpec resolve(std::string_view text) {
  const auto whole = trimmed(text);
  const auto open = whole.find('(');
  const auto name = normalised(whole.substr(0, open));
  auto [spec, by_alias] = find(name);
  if (open == std::string::npos) {
    return spec;
  }
  if (!whole.ends_with(')')) {
    throw UsageError("Expected ')' at the end of '" + whole + "'");
  }
  const auto arguments = trimmed(whole.substr(open + 1, whole.size() - open - 2));
  if (arguments.empty()) {
    return spec;
  }
  if (by_alias) {
    throw UsageError("'" + name + "' takes no parameters, but got '" + whole +
                     "'; it stands for '" + with_parameters(spec, true) + "'");
  }
  set_parameters(spec, arguments, whole);
  auto* const fault = spec.activation->fault;
  if (const auto what = fault == nullptr ? std::string() : fault(spec.parameters); !what.empty()) {
    throw UsageError("'" + whole + "' is no activation: " + what);
  }
  return spec;
}

bool names_any_parameters(std::string_view text) {
  const auto name = normalised(text);
  return std::any_of(activations().begin(), activations().end(),
                     [&](const Activation& row) { return row.name == name; });
}

std::string ActivationSpec::to_string() const {
  if (const auto* alias = alias_of(*this)) {
    return alias->name;
  }
  return with_parameters(*this, false);
}

std::string ActivationSpec::torchscript() const {
  const auto* alias = alias_of(*this);
  return filled_in(alias != nullptr && !alias->torchscript.empty() ? alias->torchscript
                                                                   : activation->torchscript,
                   *this);
}

std::string ActivationSpec::torch_class() const {
  const auto* alias = alias_of(*this);
  return alias != nullptr ? alias->torch_class : activation->torch_class;
}

std::string ActivationSpec::inference_torchscript() const {
  return activation->inference.empty() ? torchscript() : filled_in(activation->inference, *this);
}

}  // namespace actswap
