#include <actswap/base/error.h>
#include <actswap/data/choose_columns.h>
#include <actswap/data/format.h>
#include <actswap/data/load.h>
#include <actswap/data/prepare.h>
#include <actswap/data/shards.h>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace actswap {

namespace {

// The paths between commas; a file's name may hold commas itself.
std::vector<std::string> paths_in(const std::string& spec) {
  std::error_code error;
  if (std::filesystem::exists(spec, error)) {
    return {spec};
  }
  std::vector<std::string> paths(1);
  for (const char c : spec) {
    if (c == ',') {
      paths.emplace_back();
    } else {
      paths.back() += c;
    }
  }
  if (paths.size() > 1 && std::count(paths.begin(), paths.end(), std::string()) > 0) {
    throw UsageError("Expected paths with commas between them, but got '" + spec + "'");
  }
  return paths;
}

Columns read_path(const std::string& path, const DataOptions& options) {
  std::error_code error;
  const auto paths =
      std::filesystem::exists(path, error) ? std::vector<std::string>{path} : expand_ranges(path);
  allow_open_files(paths.size());
  std::vector<Columns> files;
  files.reserve(paths.size());
  for (const auto& file : paths) {
    files.push_back(read_columns(file, options));
  }
  return concatenated(std::move(files), paths);
}

std::string stem(const std::string& path) {
  const auto name = std::filesystem::path(path).filename().string();
  return name.substr(0, name.find('.'));
}

// Of several files each holds one tensor, which has the file's name.
Columns read_each(const std::vector<std::string>& paths, const DataOptions& options) {
  Columns columns;
  for (const auto& path : paths) {
    auto file = read_path(path, options);
    if (file.size() != 1 || !file[0].column) {
      throw FileError("Expected one tensor in '" + path + "', as in each of several files, but " +
                      (file.size() != 1 ? "it holds " + std::to_string(file.size())
                                        : "of '" + file[0].name + "' " + file[0].problem));
    }
    file[0].is_field = false;
    file[0].name = stem(path);
    const bool is_taken = std::any_of(columns.begin(), columns.end(), [&](const auto& column) {
      return column.name == file[0].name;
    });
    if (is_taken) {
      file[0].name = path;
    }
    columns.push_back(std::move(file[0]));
  }
  return columns;
}

Parts read_parts(const std::string& spec, const std::vector<std::string>& arguments,
                 const DataOptions& options) {
  const auto paths = paths_in(spec);
  if (paths.size() == 1) {
    return choose_columns(read_path(spec, options), arguments, options, spec);
  }
  auto columns = read_each(paths, options);
  const auto is_argument = [&](const NamedColumn& column) {
    return std::find(arguments.begin(), arguments.end(), column.name) != arguments.end();
  };
  if (paths.size() == 2 && options.inputs.empty() && options.targets.empty() &&
      !is_argument(columns[1])) {
    return {{columns[0]}, {columns[1]}, {}, spec};
  }
  return choose_columns(std::move(columns), arguments, options, spec);
}

}  // namespace

std::shared_ptr<LoadedData> load_data(const std::string& spec,
                                      const std::vector<std::string>& argument_names,
                                      const DataOptions& options) {
  check_options(options);
  return std::make_shared<LoadedData>(read_parts(spec, argument_names, options), options, spec);
}

}  // namespace actswap
