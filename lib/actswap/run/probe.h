// What a model gives for some inputs, to compare another model with.
#pragma once

#include <actswap/base/export.h>
#include <actswap/run/compare.h>
#include <actswap/run/outputs.h>

#include <torch/script.h>

#include <vector>

namespace actswap {

/// Inputs, and what a model gives for them in eval mode (see ModelRun).
struct Probe {
  std::vector<torch::Tensor> inputs = {};
  Outputs outputs = {};
  bool is_random = false;  ///< the model has drawn random numbers
};

/// @throws UsageError where the model rejects the inputs.
ACTSWAP_API Probe run_probe(const torch::jit::Module& module,
                            const std::vector<torch::Tensor>& inputs);

/// Compares what the model gives with what another gave, on the same random numbers.
ACTSWAP_API Verification compare_with(const Probe& expected, const torch::jit::Module& model,
                                      double tolerance);

/// Compares two models on the same inputs.
ACTSWAP_API Verification compare_models(const torch::jit::Module& model,
                                        const torch::jit::Module& other,
                                        const std::vector<torch::Tensor>& inputs, double tolerance);

/// Inputs that the model accepts, guessed from its first parameter, and its outputs; empty where
/// none of the guesses runs.
ACTSWAP_API Probe guess_probe(const torch::jit::Module& module);

/// The inputs alone.
ACTSWAP_API std::vector<torch::Tensor> guess_inputs(const torch::jit::Module& module);

/// Whether the outputs hold anything to compare: what compare_outputs takes for verified.
bool has_evidence(const Outputs& outputs);

}  // namespace actswap
