#include <actswap/base/error.h>
#include <actswap/graph/model.h>
#include <actswap/run/model_run.h>
#include <actswap/run/probe.h>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <utility>

namespace actswap {

namespace jit = torch::jit;

namespace {

// Random inputs of the shapes and types that the first layer may take.
std::vector<torch::Tensor> guesses_for(const jit::Module& module) {
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(std::uint64_t{0});
  std::vector<torch::Tensor> guesses;
  for (const auto& parameter : module.parameters()) {
    if (parameter.numel() == 0) {
      continue;  // says nothing of the inputs
    }
    const auto draw = [&](const std::vector<std::int64_t>& shape) {
      guesses.push_back(torch::randn(shape, generator).to(parameter.scalar_type()));
    };
    if (parameter.dim() == 4) {
      for (const std::int64_t side : {32, 28, 64, 224}) {
        draw({2, parameter.size(1), side, side});
      }
      break;
    }
    if (parameter.dim() == 3) {
      draw({2, parameter.size(1), 128});
      break;
    }
    if (parameter.dim() == 2) {
      draw({2, parameter.size(1)});
      draw({2, 8, parameter.size(1)});
      guesses.push_back(torch::randint(parameter.size(0), {2, 8}, generator, torch::kInt64));
      break;
    }
  }
  return guesses;
}

}  // namespace

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

Probe guess_probe(const jit::Module& module) {
  if (argument_names(module).size() != 1) {
    return {};
  }
  Probe first;
  for (const auto& guess : guesses_for(module)) {
    try {
      auto probe = run_probe(module, {guess});
      if (has_evidence(probe.outputs)) {
        return probe;
      }
      if (first.inputs.empty()) {
        first = std::move(probe);
      }
    } catch (const UsageError&) {
      continue;  // the next guess
    }
  }
  return first;
}

std::vector<torch::Tensor> guess_inputs(const jit::Module& module) {
  return guess_probe(module).inputs;
}

bool has_evidence(const Outputs& outputs) {
  return compare_outputs(outputs, outputs, 0.0).verified;
}

}  // namespace actswap
