#include <actswap/base/error.h>
#include <actswap/run/input_guesses.h>
#include <actswap/run/model_run.h>
#include <actswap/run/probe.h>

#include <torch/script.h>

#include <utility>

namespace actswap {

namespace jit = torch::jit;

Probe run_probe(const jit::Module& module, const std::vector<torch::Tensor>& inputs) {
  ModelRun run(module, {.optimizes_graphs = false});
  Probe probe{.inputs = inputs, .outputs = run(inputs)};
  probe.is_random = run.is_random();
  return probe;
}

Verification compare_with(const Probe& expected, const jit::Module& model, double tolerance) {
  const auto found = run_probe(model, expected.inputs);
  auto result = compare_outputs(expected.outputs, found.outputs, tolerance);
  result.is_random = expected.is_random || found.is_random;
  return result;
}

Verification compare_models(const jit::Module& model, const jit::Module& other,
                            const std::vector<torch::Tensor>& inputs, double tolerance) {
  return compare_with(run_probe(model, inputs), other, tolerance);
}

Probe guess_probe(const jit::Module& module, const std::vector<RecordedInput>& recorded) {
  Probe found;
  guess_inputs(module, recorded, [&](const InputGuess& guess) {
    try {
      auto probe = run_probe(module, guess.inputs);
      const bool is_good = has_evidence(probe.outputs);
      if (is_good || found.inputs.empty()) {
        found = std::move(probe);
        found.origin = guess.origin;
      }
      return is_good;
    } catch (const Error&) {
      return false;  // they do not fit, or not into memory
    }
  });
  return found;
}

std::string shapes_in_words(const std::vector<torch::Tensor>& inputs) {
  std::string text;
  for (const auto& input : inputs) {
    text += text.empty() ? "" : ", ";
    for (std::int64_t k = 0; k < input.dim(); ++k) {
      text += (k == 0 ? "" : "x") + std::to_string(input.size(k));
    }
    text += (input.dim() == 0 ? "1:" : ":") +
            std::string(c10::getDtypeNames(input.scalar_type()).first);
  }
  return text;
}

bool has_evidence(const Outputs& outputs) {
  return compare_outputs(outputs, outputs, 0.0).verified;
}

}  // namespace actswap
