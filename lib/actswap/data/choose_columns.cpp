#include <actswap/base/error.h>
#include <actswap/data/choose_columns.h>

#include <algorithm>
#include <utility>

namespace actswap {

namespace {

using Names = std::vector<std::string>;

auto find(const Columns& columns, const std::string& name) {
  return std::find_if(columns.begin(), columns.end(),
                      [&](const NamedColumn& column) { return column.name == name; });
}

bool has(const Columns& columns, const std::string& name) {
  return find(columns, name) != columns.end();
}

bool contains(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Of a table with hundreds of columns the first ones tell enough.
std::string names_of(const Columns& columns) {
  constexpr std::size_t kMost = 12;
  std::string names;
  for (std::size_t i = 0; i < std::min(columns.size(), kMost); ++i) {
    names += (i == 0 ? "" : ", ") + columns[i].name;
  }
  return columns.size() > kMost ? names + ", ... (" + std::to_string(columns.size()) + " in all)"
                                : names;
}

// The column that somebody chose. @throws FileError where it cannot be used
NamedColumn take(Columns& columns, const std::string& name, const std::string& path) {
  const auto found = find(columns, name);
  NamedColumn column = *found;
  columns.erase(found);
  if (!column.column) {
    throw FileError("Cannot use '" + name + "' of '" + path + "': " + column.problem);
  }
  return column;
}

void check_choice(const Columns& columns, const DataOptions& options, const std::string& path) {
  auto chosen = options.inputs;
  chosen.insert(chosen.end(), options.targets.begin(), options.targets.end());
  for (const auto& name : chosen) {
    if (!has(columns, name)) {
      throw FileError("There is no tensor '" + name + "' in '" + path + "'; it holds " +
                      names_of(columns));
    }
    if (std::count(chosen.begin(), chosen.end(), name) > 1) {
      throw UsageError("Expected each tensor once in --inputs and --target, but '" + name +
                       "' is there twice");
    }
  }
}

[[noreturn]] void ask_for_names(const std::string& path, const std::string& found) {
  throw UsageError("Cannot tell inputs and target of '" + path + "' apart: " + found +
                   "; name them with --inputs and --target");
}

// The model's leading arguments for which there are columns. Later ones may have defaults; inputs
// are passed by position, so none in between may be missing.
Names inputs_by_name(const Columns& columns, const Names& arguments, const DataOptions& options,
                     const std::string& path) {
  Names names;
  for (const auto& argument : arguments) {
    if (contains(options.targets, argument) || !has(columns, argument)) {
      break;
    }
    names.push_back(argument);
  }
  for (std::size_t i = names.size(); i < arguments.size(); ++i) {
    if (!contains(options.targets, arguments[i]) && has(columns, arguments[i])) {
      ask_for_names(path, "it holds the model's argument '" + arguments[i] + "' but not '" +
                              arguments[names.size()] + "', which comes before it");
    }
  }
  return names;
}

Names inputs_by_order(const Columns& columns, std::size_t wanted, const DataOptions& options,
                      const std::string& path) {
  Names names;
  for (const auto& column : columns) {
    if (names.size() < wanted && column.column && !contains(options.targets, column.name)) {
      names.push_back(column.name);
    }
  }
  // Without names the last one may as well be the target: an argument can have a default.
  if (options.targets.empty() && names.size() > 1 && names.size() == columns.size()) {
    ask_for_names(path, "it holds " + std::to_string(columns.size()) + " tensors (" +
                            names_of(columns) + ") and the model takes " + std::to_string(wanted));
  }
  return names;
}

// Of fields: the target is the last one that can be used, unless targets are named.
std::string last_field(const Columns& columns) {
  std::string name;
  for (const auto& column : columns) {
    name = column.column ? column.name : name;
  }
  return name;
}

Names fields_by_order(const Columns& columns, const DataOptions& options) {
  Names names;
  for (const auto& column : columns) {
    const bool is_target = options.targets.empty() ? column.name == last_field(columns)
                                                   : contains(options.targets, column.name);
    if (column.column && !is_target) {
      names.push_back(column.name);
    }
  }
  return names;
}

// Fields of all numbers as float32, N x fields.
class StackedColumn : public Column {
 public:
  explicit StackedColumn(Columns fields) : fields_(std::move(fields)) {}
  std::int64_t size() const override { return fields_[0].column->size(); }
  torch::Tensor at(std::span<const std::int64_t> indices) const override {
    std::vector<torch::Tensor> values;
    for (const auto& field : fields_) {
      values.push_back(field.column->at(indices).to(torch::kFloat32));
    }
    return torch::stack(values, 1);
  }

 private:
  Columns fields_;
};

NamedColumn stacked(const Columns& fields, const std::string& path) {
  for (const auto& field : fields) {
    if (!field.column->classes().empty()) {
      throw FileError("Expected numbers in '" + field.name + "' of '" + path +
                      "', which is an input, but it holds text; choose others with --inputs");
    }
  }
  return {names_of(fields), std::make_shared<StackedColumn>(fields)};
}

}  // namespace

Parts choose_columns(Columns columns, const std::vector<std::string>& arguments,
                     const DataOptions& options, const std::string& path) {
  check_choice(columns, options, path);
  const bool are_fields = columns[0].is_field;
  const auto by_name =
      options.inputs.empty() ? inputs_by_name(columns, arguments, options, path) : Names();
  auto names = !options.inputs.empty() ? options.inputs
               : !by_name.empty()      ? by_name
               : are_fields            ? fields_by_order(columns, options)
                            : inputs_by_order(columns, std::max<std::size_t>(arguments.size(), 1),
                                              options, path);
  if (names.empty()) {
    const auto unusable = std::find_if(columns.begin(), columns.end(),
                                       [](const NamedColumn& column) { return !column.column; });
    if (unusable != columns.end()) {
      take(columns, unusable->name, path);
    }
    ask_for_names(path, "beside the targets it holds no tensor");
  }
  const auto last = last_field(columns);
  Parts parts{.path = path};
  for (const auto& name : names) {
    parts.inputs.push_back(take(columns, name, path));
  }
  for (const auto& name : options.targets) {
    parts.targets.push_back(take(columns, name, path));
  }
  if (are_fields && by_name.empty()) {
    parts.inputs = {stacked(parts.inputs, path)};
  }
  for (auto& column : columns) {
    const bool is_target =
        options.targets.empty() && column.column && (!are_fields || column.name == last);
    (is_target ? parts.targets : parts.left_out).push_back(std::move(column));
  }
  return parts;
}

}  // namespace actswap
