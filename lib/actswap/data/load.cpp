#include <actswap/base/error.h>
#include <actswap/data/load.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <utility>

namespace actswap {

namespace {

using Named = std::pair<std::string, torch::Tensor>;
using NamedTensors = std::vector<Named>;

/// What a file's tensors are for; the names are for messages.
struct Parts {
  NamedTensors inputs;
  NamedTensors targets;
};

auto find(const NamedTensors& tensors, const std::string& name) {
  return std::find_if(tensors.begin(), tensors.end(),
                      [&](const Named& entry) { return entry.first == name; });
}

bool has(const NamedTensors& tensors, const std::string& name) {
  return find(tensors, name) != tensors.end();
}

std::string names_of(const NamedTensors& tensors) {
  std::string names;
  for (const auto& [name, tensor] : tensors) {
    names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

Named take(NamedTensors& tensors, const std::string& name) {
  const auto found = find(tensors, name);
  Named entry = *found;
  tensors.erase(found);
  return entry;
}

void check_choice(const NamedTensors& tensors, const DataOptions& options,
                  const std::string& path) {
  auto chosen = options.inputs;
  chosen.insert(chosen.end(), options.targets.begin(), options.targets.end());
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (!has(tensors, chosen[i])) {
      throw FileError("There is no tensor '" + chosen[i] + "' in '" + path + "'; it holds " +
                      names_of(tensors));
    }
    if (std::count(chosen.begin(), chosen.end(), chosen[i]) > 1) {
      throw UsageError("Expected each tensor once in --inputs and --target, but '" + chosen[i] +
                       "' is there twice");
    }
  }
}

bool is_target(const DataOptions& options, const std::string& name) {
  return std::find(options.targets.begin(), options.targets.end(), name) != options.targets.end();
}

[[noreturn]] void ask_for_names(const std::string& path, const std::string& found) {
  throw UsageError("Cannot tell inputs and target of '" + path + "' apart: " + found +
                   "; name them with --inputs and --target");
}

// The model's leading arguments that are there by name. Later ones may have defaults; as inputs are
// passed by position none in between may be missing.
std::vector<std::string> inputs_by_name(const NamedTensors& tensors,
                                        const std::vector<std::string>& arguments,
                                        const DataOptions& options, const std::string& path) {
  std::vector<std::string> names;
  for (const auto& argument : arguments) {
    if (is_target(options, argument) || !has(tensors, argument)) {
      break;
    }
    names.push_back(argument);
  }
  for (std::size_t i = names.size(); i < arguments.size(); ++i) {
    if (!is_target(options, arguments[i]) && has(tensors, arguments[i])) {
      ask_for_names(path, "it holds the model's argument '" + arguments[i] + "' but not '" +
                              arguments[names.size()] + "', which comes before it");
    }
  }
  return names;
}

std::vector<std::string> inputs_by_order(const NamedTensors& tensors, std::size_t wanted,
                                         const DataOptions& options, const std::string& path) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) {
    if (names.size() < wanted && !is_target(options, name)) {
      names.push_back(name);
    }
  }
  // Without names the last one may as well be the target: an argument can have a default.
  if (options.targets.empty() && names.size() > 1 && names.size() == tensors.size()) {
    ask_for_names(path, "it holds " + std::to_string(tensors.size()) + " tensors (" +
                            names_of(tensors) + ") and the model takes " + std::to_string(wanted));
  }
  return names;
}

Parts split(NamedTensors tensors, const std::vector<std::string>& arguments,
            const DataOptions& options, const std::string& path) {
  if (tensors.empty()) {
    throw FileError("'" + path + "' holds no tensors");
  }
  check_choice(tensors, options, path);
  auto names = options.inputs;
  if (names.empty()) {
    names = inputs_by_name(tensors, arguments, options, path);
  }
  if (names.empty()) {
    const auto wanted = std::max<std::size_t>(arguments.size(), 1);
    names = inputs_by_order(tensors, wanted, options, path);
  }
  if (names.empty()) {
    ask_for_names(path, "beside the targets it holds no tensor");
  }
  Parts parts;
  for (const auto& name : names) {
    parts.inputs.push_back(take(tensors, name));
  }
  for (const auto& name : options.targets) {
    parts.targets.push_back(take(tensors, name));
  }
  if (options.targets.empty()) {
    parts.targets = std::move(tensors);
  }
  return parts;
}

// By content: a zip archive's first two bytes are PK, gzip's 1f 8b, idx's 00 00.
bool looks_like_idx(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return false;
  }
  std::ifstream file(path, std::ios::binary);
  const int first = file.get();
  const int second = file.get();
  return (first == 0x1f && second == 0x8b) || (first == 0 && second == 0);
}

Parts read_parts(const std::string& spec, const std::vector<std::string>& arguments,
                 const DataOptions& options) {
  const auto comma = spec.find(',');
  std::error_code error;
  const bool pair = comma != std::string::npos && !std::filesystem::exists(spec, error);
  if (!pair && !looks_like_idx(spec)) {
    return split(read_tensors(spec), arguments, options, spec);
  }
  if (!options.inputs.empty() || !options.targets.empty()) {
    throw UsageError("Expected --inputs and --target with a .pt file, but '" + spec +
                     "' is of idx files, whose tensors have no names");
  }
  if (!pair) {
    return {{{spec, read_idx(spec)}}, {}};
  }
  const auto images = spec.substr(0, comma);
  const auto labels = spec.substr(comma + 1);
  if (images.empty() || labels.empty()) {
    throw UsageError("Expected two paths with a comma between them, but got '" + spec + "'");
  }
  return {{{images, read_idx(images)}}, {{labels, read_idx(labels)}}};
}

// Before the limit is applied: it would hide that the files do not belong together.
void check_sizes(const Parts& parts, const std::string& spec) {
  auto all = parts.inputs;
  all.insert(all.end(), parts.targets.begin(), parts.targets.end());
  for (const auto& [name, tensor] : all) {
    if (tensor.dim() == 0) {
      throw FileError("Expected one entry per example in '" + name + "' of '" + spec +
                      "', but it is a scalar");
    }
    if (tensor.size(0) != all[0].second.size(0)) {
      throw FileError("Expected as many examples in '" + name + "' as in '" + all[0].first +
                      "', but got " + std::to_string(tensor.size(0)) + " and " +
                      std::to_string(all[0].second.size(0)));
    }
  }
}

torch::Tensor per_channel(const std::vector<double>& values, const torch::Tensor& input,
                          const char* option) {
  const auto channels = input.dim() > 1 ? input.size(1) : 1;
  const auto count = static_cast<std::int64_t>(values.size());
  if (count != 1 && count != channels) {
    throw UsageError("Expected --" + std::string(option) + " to have 1 or " +
                     std::to_string(channels) + " values, but got " + std::to_string(count));
  }
  std::vector<std::int64_t> shape(static_cast<std::size_t>(input.dim()), 1);
  if (input.dim() > 1) {
    shape[1] = count;
  }
  return torch::tensor(values, torch::kDouble).reshape(shape).to(input.scalar_type());
}

torch::Tensor prepare_input(torch::Tensor input, const DataOptions& options) {
  if (input.scalar_type() == torch::kUInt8) {
    if (input.dim() == 3) {
      input = input.unsqueeze(1);
    }
    input = input.to(torch::kFloat32).div_(255.0);
  }
  if (!input.is_floating_point()) {
    return input;
  }
  if (!options.mean.empty()) {
    input = input - per_channel(options.mean, input, "mean");
  }
  if (!options.deviation.empty()) {
    input = input / per_channel(options.deviation, input, "deviation");
  }
  return input;
}

torch::Tensor prepare_target(const torch::Tensor& target) {
  const bool whole = c10::isIntegralType(target.scalar_type(), /*includeBool=*/true);
  return whole ? target.to(torch::kInt64) : target;
}

// A copy, so that the rest of the file does not stay in memory.
torch::Tensor first(const torch::Tensor& tensor, std::int64_t limit) {
  return limit > 0 && limit < tensor.size(0) ? tensor.slice(0, 0, limit).clone() : tensor;
}

void check_options(const DataOptions& options) {
  for (const double mean : options.mean) {
    if (!std::isfinite(mean)) {
      throw UsageError("Expected --mean to be a number, but got " + std::to_string(mean));
    }
  }
  for (const double deviation : options.deviation) {
    if (!(deviation > 0.0) || !std::isfinite(deviation)) {
      throw UsageError("Expected --deviation above 0, but got " + std::to_string(deviation));
    }
  }
  if (options.limit < 0) {
    throw UsageError("Expected --limit of at least 0, but got " + std::to_string(options.limit));
  }
}

}  // namespace

std::shared_ptr<TensorDataset> load_data(const std::string& spec,
                                         const std::vector<std::string>& argument_names,
                                         const DataOptions& options) {
  check_options(options);
  const auto parts = read_parts(spec, argument_names, options);
  check_sizes(parts, spec);
  std::vector<torch::Tensor> inputs;
  for (const auto& [name, input] : parts.inputs) {
    inputs.push_back(prepare_input(first(input, options.limit), options));
  }
  const bool normalise = !options.mean.empty() || !options.deviation.empty();
  if (normalise && std::none_of(inputs.begin(), inputs.end(),
                                [](const auto& input) { return input.is_floating_point(); })) {
    throw UsageError("Expected an input of floats for --mean and --deviation, but '" + spec +
                     "' has integer inputs only");
  }
  std::vector<torch::Tensor> targets;
  for (const auto& [name, target] : parts.targets) {
    targets.push_back(prepare_target(first(target, options.limit)));
  }
  return std::make_shared<TensorDataset>(std::move(inputs), torch::Tensor(), std::move(targets));
}

}  // namespace actswap
