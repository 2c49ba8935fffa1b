#include <actswap/base/error.h>
#include <actswap/data/load.h>
#include <actswap/graph/model.h>
#include <actswap/measure/input_spec.h>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/script.h>
#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

namespace actswap {

namespace {

struct Type {
  std::string_view name;
  torch::ScalarType type;
  std::int64_t largest_bound;  ///< 0: floats, which have none
};
constexpr std::array<Type, 8> kTypes = {
    {{"float32", torch::kFloat32, 0},
     {"float64", torch::kFloat64, 0},
     {"float16", torch::kFloat16, 0},
     {"bfloat16", torch::kBFloat16, 0},
     {"int64", torch::kInt64, std::numeric_limits<std::int64_t>::max()},
     {"int32", torch::kInt32, std::int64_t{1} << 31},
     {"uint8", torch::kUInt8, 256},
     {"bool", torch::kBool, 2}}};

[[noreturn]] void fail(std::string_view spec, const std::string& what) {
  throw UsageError(
      "Cannot read the input '" + std::string(spec) + "': " + what +
      "; expected something like 8x3x224x224, 1x128:int64<30522, {ids: 1x128:int64}, or the "
      "path of a tensor file");
}

bool is_file(std::string_view text) {
  std::error_code error;  // a name too long for a file is no error here
  return std::filesystem::is_regular_file(text, error);
}

/// The parts between separators, empty ones too: "8x" must not pass as "8".
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(at + 1);
  }
}

std::int64_t parse_positive(std::string_view text, std::string_view spec, const char* what) {
  std::int64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size() || value < 1) {
    fail(spec, std::string(what) + " '" + std::string(text) + "' is not a whole number above 0");
  }
  return value;
}

const Type& parse_type(std::string_view name, std::string_view spec) {
  const auto* found = std::find_if(kTypes.begin(), kTypes.end(),
                                   [&](const Type& candidate) { return candidate.name == name; });
  if (found == kTypes.end()) {
    std::string known;
    for (const auto& type : kTypes) {
      known.append(known.empty() ? "" : ", ").append(type.name);
    }
    fail(spec, std::string("the type '").append(name).append("' is not one of ").append(known));
  }
  return *found;
}

struct InputSpec {
  std::vector<std::int64_t> shape;
  Type type = kTypes[0];
  std::int64_t bound = 2;
};

InputSpec parse(std::string_view spec) {
  InputSpec parsed;
  if (spec.find(',') != std::string_view::npos) {
    fail(spec, "it has a comma, but each input has an --input of its own");
  }
  const auto bounded = split(spec, '<');
  const auto typed = split(bounded[0], ':');
  if (bounded.size() > 2 || typed.size() > 2) {
    fail(spec, "it has more than one type or bound");
  }
  if (spec.ends_with(".pt")) {
    fail(spec, "there is no such file");
  }
  if (typed.size() == 2) {
    parsed.type = parse_type(typed[1], spec);
  }
  if (bounded.size() == 2) {
    parsed.bound = parse_positive(bounded[1], spec, "the bound");
    if (parsed.bound > parsed.type.largest_bound) {
      fail(spec, parsed.type.largest_bound == 0
                     ? "floats have no bound"
                     : "the bound of " + std::string(parsed.type.name) + " is at most " +
                           std::to_string(parsed.type.largest_bound));
    }
  }
  std::int64_t elements = 1;
  for (const auto& size : split(typed[0], 'x')) {
    parsed.shape.push_back(parse_positive(size, spec, "the size"));
    // 16 bytes an element at most: the number of bytes must not overflow either.
    if (elements > (std::numeric_limits<std::int64_t>::max() / 16) / parsed.shape.back()) {
      fail(spec, "it has too many elements");
    }
    elements *= parsed.shape.back();
  }
  return parsed;
}

torch::Tensor draw(std::string_view spec, at::Generator& generator) {
  const auto parsed = parse(spec);
  try {
    if (parsed.type.largest_bound == 0) {
      const auto drawn = parsed.type.type == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
      return torch::randn(parsed.shape, generator, drawn).to(parsed.type.type);
    }
    return torch::randint(parsed.bound, parsed.shape, generator, torch::kInt64)
        .to(parsed.type.type);
  } catch (const std::exception&) {
    fail(spec, "a tensor of that size does not fit in memory");
  }
}

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(' ');
  return begin == std::string_view::npos
             ? std::string_view()
             : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

// "{ids: 1x16:int64<30522, mask: 1x16:int64}"
NamedTensors draw_named(std::string_view part, at::Generator& generator) {
  if (!part.ends_with('}')) {
    fail(part, "there is no '}' at its end");
  }
  NamedTensors tensors;
  for (const auto entry : split(part.substr(1, part.size() - 2), ',')) {
    const auto colon = entry.find(':');
    const auto name = trimmed(entry.substr(0, colon));
    if (colon == std::string_view::npos || name.empty()) {
      fail(part, "'" + std::string(trimmed(entry)) + "' is not a name, a colon and a shape");
    }
    tensors.emplace_back(name, draw(trimmed(entry.substr(colon + 1)), generator));
  }
  return tensors;
}

std::ptrdiff_t place_of(const std::string& name, const std::vector<std::string>& names) {
  return std::ranges::find(names, name) - names.begin();
}

bool are_among(const NamedTensors& tensors, const std::vector<std::string>& names) {
  return std::ranges::all_of(
      tensors, [&](const auto& entry) { return std::ranges::count(names, entry.first) == 1; });
}

// In the order in which the model takes them, with none left out in between.
void sort_by_name(NamedTensors& tensors, const std::vector<std::string>& names,
                  std::string_view part) {
  std::string known;
  for (const auto& name : names) {
    known += (known.empty() ? "" : ", ") + name;
  }
  if (!are_among(tensors, names)) {
    fail(part, "the model takes " + (known.empty() ? "no inputs by name" : known));
  }
  std::ranges::sort(tensors, std::less(),
                    [&](const auto& entry) { return place_of(entry.first, names); });
  for (std::size_t i = 1; i < tensors.size(); ++i) {
    if (place_of(tensors[i].first, names) != place_of(tensors[i - 1].first, names) + 1) {
      fail(part, "expected each of its inputs once, of those that the model takes (" + known + ")");
    }
  }
}

}  // namespace

std::vector<torch::Tensor> make_inputs(const std::vector<std::string>& specs, std::uint64_t seed,
                                       const std::vector<std::string>& names) {
  // A generator of its own: neither torch::manual_seed nor earlier draws change the result.
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(seed);
  std::vector<torch::Tensor> inputs;
  const auto take = [&](const NamedTensors& tensors) {
    for (const auto& [name, tensor] : tensors) {
      inputs.push_back(tensor);
    }
  };
  for (const auto& text : specs) {
    // A file's name may hold a ';' itself.
    const auto parts = is_file(text) ? std::vector<std::string_view>{text} : split(text, ';');
    for (const auto whole : parts) {
      const auto part = trimmed(whole);
      if (is_file(whole)) {
        auto tensors = read_tensors(std::string(whole));
        if (are_among(tensors, names)) {
          sort_by_name(tensors, names, whole);
        }
        take(tensors);
      } else if (part.starts_with('{')) {
        auto tensors = draw_named(part, generator);
        sort_by_name(tensors, names, part);
        take(tensors);
      } else {
        inputs.push_back(draw(whole, generator));
      }
    }
  }
  return inputs;
}

std::vector<torch::Tensor> make_inputs(const std::vector<std::string>& specs,
                                       const torch::jit::Module& module) {
  return make_inputs(specs, 0, argument_names(module));
}

}  // namespace actswap
