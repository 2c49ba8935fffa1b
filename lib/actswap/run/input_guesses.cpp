#include <actswap/graph/input_evidence.h>
#include <actswap/graph/input_layout.h>
#include <actswap/run/input_guesses.h>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/script.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

namespace actswap {

namespace jit = torch::jit;

namespace {

using Sizes = std::vector<std::int64_t>;

// Sizes that stand for what a guess chooses.
constexpr std::int64_t kBatch = -1;
constexpr std::int64_t kSide = -2;
constexpr std::int64_t kLength = -3;

constexpr std::array<std::int64_t, 14> kSides = {32,  28,  64,  224, 96,  128, 160,
                                                 192, 256, 299, 320, 384, 448, 512};
constexpr std::int64_t kSequence = 8;
constexpr std::int64_t kMostElements = std::int64_t{1} << 26;  // of an input

struct Form {
  Sizes sizes;
  torch::ScalarType type = torch::kFloat32;
  std::int64_t bound = 0;
};

struct Choice {
  std::int64_t batch;
  std::int64_t side;
};

class Drawing {
 public:
  std::optional<torch::Tensor> tensor(const Form& form) {
    std::int64_t elements = 1;
    for (const auto size : form.sizes) {
      if (size < 0 || size > kMostElements || (elements *= size) > kMostElements) {
        return std::nullopt;
      }
    }
    if (form.type == torch::kBool || c10::isIntegralType(form.type, /*includeBool=*/true)) {
      const auto largest = form.type == torch::kBool || form.bound == 0 ? 2 : form.bound;
      return torch::randint(largest, form.sizes, generator_, torch::kInt64).to(form.type);
    }
    if (c10::isComplexType(form.type)) {
      return torch::randn(form.sizes, generator_, torch::kComplexFloat).to(form.type);
    }
    return torch::randn(form.sizes, generator_).to(form.type);
  }

 private:
  at::Generator generator_ = torch::make_generator<at::CPUGeneratorImpl>(std::uint64_t{0});
};

std::optional<torch::ScalarType> type_of(const std::string& storage) {
  static const std::array<std::pair<const char*, torch::ScalarType>, 12> kTypes = {
      {{"FloatStorage", torch::kFloat32},
       {"DoubleStorage", torch::kFloat64},
       {"HalfStorage", torch::kFloat16},
       {"BFloat16Storage", torch::kBFloat16},
       {"LongStorage", torch::kInt64},
       {"IntStorage", torch::kInt32},
       {"ShortStorage", torch::kInt16},
       {"CharStorage", torch::kInt8},
       {"ByteStorage", torch::kUInt8},
       {"BoolStorage", torch::kBool},
       {"ComplexFloatStorage", torch::kComplexFloat},
       {"ComplexDoubleStorage", torch::kComplexDouble}}};
  const auto* found =
      std::ranges::find_if(kTypes, [&](const auto& row) { return row.first == storage; });
  return found == kTypes.end() ? std::nullopt : std::optional(found->second);
}

// As the trace had them. Empty where it did not have all.
std::vector<Form> recorded_forms(const std::vector<RecordedInput>& recorded,
                                 const InputLayout& layout, const CodeEvidence& code) {
  std::vector<Form> forms;
  for (std::size_t i = 0; i < layout.places().size(); ++i) {
    const auto& place = layout.places()[i];
    const auto found = std::ranges::find_if(recorded, [&](const RecordedInput& input) {
      return input.argument == place.argument && input.key == place.key;
    });
    if (found == recorded.end()) {
      break;  // forward has a default for it
    }
    const auto type = type_of(found->storage);
    if (!type) {
      return {};
    }
    forms.push_back({.sizes = found->sizes, .type = *type, .bound = code.inputs[i].bound});
  }
  return forms;
}

// Fills open sizes with known ones.
std::optional<Sizes> filled(Sizes sizes, const InputEvidence& evidence) {
  const auto rank = static_cast<std::int64_t>(sizes.size());
  for (const auto& [dimension, size] : evidence.sizes) {
    const auto at = dimension < 0 ? rank + dimension : dimension;
    if (at < 0 || at >= rank) {
      return std::nullopt;
    }
    sizes[static_cast<std::size_t>(at)] = size;
  }
  return sizes;
}

// What is flattened may be an image.
std::vector<Sizes> shapes_of(std::int64_t elements) {
  std::vector<Sizes> shapes = {{kBatch, elements}};
  for (const std::int64_t channels : {1, 3}) {
    const auto side =
        std::llround(std::sqrt(static_cast<double>(elements) / static_cast<double>(channels)));
    if (side > 1 && channels * side * side == elements) {
      shapes.push_back({kBatch, channels, side, side});
    }
  }
  return shapes;
}

std::vector<Form> forms_for(const InputEvidence& evidence) {
  std::vector<Sizes> open;
  const auto type = evidence.type.value_or(torch::kFloat32);
  if (evidence.rank) {
    open = {*evidence.rank == 3   ? Sizes{kBatch, kLength, 16 * kSequence}
            : *evidence.rank == 4 ? Sizes{kBatch, kLength, kSide, kSide}
                                  : Sizes{kBatch, kLength, kSequence, kSide, kSide}};
  } else if (evidence.bound > 0) {
    open = {{kBatch, kLength}};
  } else if (evidence.elements) {
    open = shapes_of(*evidence.elements);
  } else if (!evidence.sizes.empty()) {
    open = {{kBatch, kLength}, {kBatch, kLength, kLength}, {kBatch, kLength, kSide, kSide}};
  }
  std::vector<Form> forms;
  for (const auto& sizes : open) {
    if (const auto known = filled(sizes, evidence)) {
      forms.push_back({.sizes = *known, .type = type, .bound = evidence.bound});
    }
  }
  if (evidence
          .is_empty()) {  // a mask, an index for each element, places in space, a number, an image
    forms = {{.sizes = {kBatch, kLength}, .type = torch::kInt64},
             {.sizes = {kBatch, kLength, 3}},
             {.sizes = {kBatch, kLength}},
             {.sizes = {kBatch}},
             {.sizes = {kBatch, 3, kSide, kSide}}};
  }
  return forms;
}

// By the first parameter, which says what the first layer may take.
std::vector<Form> forms_for_parameters(const jit::Module& module) {
  for (const auto& parameter : module.parameters()) {
    if (parameter.numel() == 0 || parameter.dim() < 2 || parameter.dim() > 4) {
      continue;  // says nothing of the inputs
    }
    const auto type = parameter.scalar_type();
    const auto channels = parameter.size(1);
    if (parameter.dim() == 4) {
      return {{.sizes = {kBatch, channels, kSide, kSide}, .type = type}};
    }
    if (parameter.dim() == 3) {
      return {{.sizes = {kBatch, channels, 16 * kSequence}, .type = type}};
    }
    return {{.sizes = {kBatch, channels}, .type = type},
            {.sizes = {kBatch, kLength, channels}, .type = type},
            {.sizes = {kBatch, kLength}, .type = torch::kInt64, .bound = parameter.size(0)}};
  }
  return {};
}

std::optional<std::vector<torch::Tensor>> drawn(std::vector<Form> forms, const Choice& choice) {
  Drawing drawing;
  std::vector<torch::Tensor> inputs;
  for (auto& form : forms) {
    for (auto& size : form.sizes) {
      size = size == kBatch    ? choice.batch
             : size == kSide   ? choice.side
             : size == kLength ? kSequence
                               : size;
    }
    const auto tensor = drawing.tensor(form);
    if (!tensor) {
      return std::nullopt;
    }
    inputs.push_back(*tensor);
  }
  return inputs;
}

bool has_side(const std::vector<Form>& forms) {
  return std::ranges::any_of(forms, [](const Form& form) {
    return std::ranges::find(form.sizes, kSide) != form.sizes.end();
  });
}

// All ways to take one form for each input; the last input's vary first.
std::vector<std::vector<Form>> combined(const std::vector<std::vector<Form>>& forms) {
  std::vector<std::vector<Form>> all = {{}};
  for (const auto& each : forms) {
    std::vector<std::vector<Form>> longer;
    for (const auto& begun : all) {
      for (const auto& form : each) {
        longer.push_back(begun);
        longer.back().push_back(form);
      }
    }
    all = std::move(longer);
    if (all.size() > kMostGuesses) {
      all.resize(kMostGuesses);
    }
  }
  return all;
}

class Guesses {
 public:
  explicit Guesses(const std::function<bool(const InputGuess&)>& fits) : fits_(fits) {}

  bool offer(const std::vector<Form>& forms, const Choice& choice, const std::string& origin) {
    if (forms.empty() || count_ == kMostGuesses) {
      return false;
    }
    const auto inputs = drawn(forms, choice);
    if (!inputs) {
      return false;
    }
    ++count_;
    return fits_({.inputs = *inputs, .origin = origin});
  }

  bool offer_all(const std::vector<std::vector<Form>>& ways, const Sizes& sides,
                 const std::string& origin) {
    for (const std::int64_t batch : {2, 1}) {
      for (const auto side : sides) {
        for (const auto& forms : ways) {
          if (has_side(forms) ? offer(forms, {batch, side}, origin)
                              : side == sides.front() && offer(forms, {batch, 0}, origin)) {
            return true;
          }
        }
      }
    }
    return false;
  }

 private:
  const std::function<bool(const InputGuess&)>& fits_;
  std::size_t count_ = 0;
};

}  // namespace

void guess_inputs(const jit::Module& module, const std::vector<RecordedInput>& recorded,
                  const std::function<bool(const InputGuess&)>& fits) {
  const InputLayout layout(module);
  const auto code = input_evidence(module, layout);
  Guesses guesses(fits);
  if (guesses.offer(recorded_forms(recorded, layout, code), {}, "recorded by the trace")) {
    return;
  }
  Sizes sides(code.sizes.begin(), code.sizes.end());
  for (const auto side : kSides) {
    if (!code.sizes.contains(side)) {
      sides.push_back(side);
    }
  }
  // Inputs that forward has a default for are left out where the code says nothing of them.
  std::vector<std::vector<Form>> forms;
  const auto& arguments = module.get_method("forward").function().getSchema().arguments();
  for (std::size_t i = 0; i < layout.places().size(); ++i) {
    if (arguments.at(layout.places()[i].argument + 1).default_value()) {
      break;
    }
    forms.push_back(forms_for(code.inputs[i]));
  }
  const auto by_layers = [&] {
    return !forms.empty() &&
           guesses.offer_all(combined(forms), sides, "guessed from the layers that read them");
  };
  const auto by_parameter = [&] {
    std::vector<std::vector<Form>> ways;
    for (const auto& form :
         forms.size() == 1 ? forms_for_parameters(module) : std::vector<Form>()) {
      ways.push_back({form});
    }
    return guesses.offer_all(ways, sides, "guessed from the first parameter");
  };
  const bool says_nothing =
      std::ranges::all_of(code.inputs, [](const auto& input) { return input.is_empty(); });
  if (says_nothing && by_parameter()) {
    return;
  }
  if (!by_layers() && !says_nothing) {
    by_parameter();
  }
}

}  // namespace actswap
