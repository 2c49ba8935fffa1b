#include <actswap/archive/check.h>
#include <actswap/base/error.h>
#include <actswap/export/self_test.h>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/csrc/jit/serialization/pickle.h>
#include <torch/script.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace actswap {

namespace jit = torch::jit;

namespace {

constexpr std::array<std::pair<SelfTest, const char*>, 3> kNames = {
    {{SelfTest::none, "none"}, {SelfTest::random, "random"}, {SelfTest::data, "data"}}};

// Values from 0 to 1 of the tensor's shape become values of its range.
torch::Tensor draw_floats(const torch::Tensor& tensor, at::Generator& generator) {
  const auto values = tensor.to(torch::kFloat64);
  const auto finite = values.masked_select(values.isfinite());
  const auto shares = torch::rand(values.sizes(), generator, torch::kFloat64);
  if (finite.numel() == 0) {
    return shares.to(tensor.scalar_type());
  }
  const auto least = finite.min();
  const auto most = finite.max();
  // Not least + shares * (most - least), which may overflow.
  return (least * (1.0 - shares) + most * shares).to(tensor.scalar_type());
}

torch::Tensor draw_integers(const torch::Tensor& tensor, at::Generator& generator) {
  const auto values = tensor.to(torch::kInt64);
  const auto least = values.min().item<std::int64_t>();
  const auto most = values.max().item<std::int64_t>();
  // A range that does not fit into 64 bits is drawn without its end.
  const auto end = most < std::numeric_limits<std::int64_t>::max() ? most + 1 : most;
  return (least < end ? torch::randint(least, end, values.sizes(), generator, torch::kInt64)
                      : values.clone())
      .to(tensor.scalar_type());
}

torch::Tensor draw_like(const torch::Tensor& tensor, at::Generator& generator) {
  if (tensor.numel() == 0) {
    return tensor.clone();
  }
  if (tensor.is_complex()) {
    return torch::view_as_complex(
        draw_floats(torch::view_as_real(tensor.resolve_conj()), generator).contiguous());
  }
  return tensor.is_floating_point() ? draw_floats(tensor, generator)
                                    : draw_integers(tensor, generator);
}

// Python's torch.load with weights_only reads tuples of these, but neither a typed list or dict nor
// a complex number.
c10::IValue stored(const c10::IValue& value) {
  return value.isTensor() || value.isComplexDouble()
             ? c10::IValue(plain_tensor(value).contiguous().clone())
             : value;
}

// Values of the kind that is_tensor says, with their numbers as places.
Outputs counted(const Outputs& outputs, bool tensors_alone) {
  Outputs found;
  for (const auto& [place, value] : outputs) {
    if (!tensors_alone || value.isTensor()) {
      found.push_back({" " + std::to_string(found.size()), stored(value)});
    }
  }
  return found;
}

bool are_tensors(const Outputs& outputs) {
  return std::all_of(outputs.begin(), outputs.end(),
                     [](const Output& output) { return output.value.isTensor(); });
}

}  // namespace

SelfTest parse_self_test(std::string_view name) {
  for (const auto& [kind, text] : kNames) {
    if (name == text) {
      return kind;
    }
  }
  throw UsageError("Expected none, random or data as the self-test, but got '" + std::string(name) +
                   "'");
}

std::string to_string(SelfTest self_test) {
  for (const auto& [kind, text] : kNames) {
    if (self_test == kind) {
      return text;
    }
  }
  return "";
}

std::vector<torch::Tensor> draw_like(const std::vector<torch::Tensor>& inputs) {
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(std::uint64_t{0});
  std::vector<torch::Tensor> drawn;
  drawn.reserve(inputs.size());
  for (const auto& input : inputs) {
    drawn.push_back(draw_like(plain_tensor(input), generator));
  }
  return drawn;
}

std::string pack_self_test(const Probe& probe) {
  std::vector<c10::IValue> inputs;
  std::vector<c10::IValue> outputs;
  inputs.reserve(probe.inputs.size());
  outputs.reserve(probe.outputs.size());
  for (const auto& input : probe.inputs) {
    inputs.push_back(stored(input));
  }
  for (const auto& [place, value] : probe.outputs) {
    outputs.push_back(stored(value));
  }
  const auto bytes =
      jit::pickle_save(c10::ivalue::Tuple::create(c10::ivalue::Tuple::create(std::move(inputs)),
                                                  c10::ivalue::Tuple::create(std::move(outputs))));
  return {bytes.begin(), bytes.end()};
}

Probe unpack_self_test(const std::string& content, const std::string& path) {
  try {
    check_tensor_file(ZipArchive(content, path));
    const auto parts = jit::pickle_load({content.begin(), content.end()}).toTuple();
    Probe probe;
    for (const auto& input : parts->elements().at(0).toTupleRef().elements()) {
      probe.inputs.push_back(input.toTensor());
    }
    for (const auto& output : parts->elements().at(1).toTupleRef().elements()) {
      probe.outputs.push_back({"", output});
    }
    return probe;
  } catch (const std::exception&) {
    throw FileError("The self-test in '" + path + "' is damaged: it cannot be read");
  }
}

Verification replay(const Probe& self_test, const jit::Module& model, double tolerance) {
  const auto found = run_probe(model, self_test.inputs);
  // Older files hold the tensors of an output alone.
  const bool tensors_alone = are_tensors(self_test.outputs);
  auto result = compare_outputs(counted(self_test.outputs, tensors_alone),
                                counted(found.outputs, tensors_alone), tolerance);
  result.is_random = found.is_random;
  return result;
}

}  // namespace actswap
