// A model's outputs for some inputs, to compare another model's with.
#pragma once

#include <actswap/archive/recorded_inputs.h>
#include <actswap/base/export.h>
#include <actswap/run/compare.h>
#include <actswap/run/outputs.h>

#include <torch/script.h>

#include <string>
#include <vector>

namespace actswap {

/// Inputs, and what a model gives for them in eval mode (see ModelRun).
struct Probe {
  std::vector<torch::Tensor> inputs = {};
  Outputs outputs = {};
  bool is_random = false;   ///< the model has drawn random numbers
  std::string origin = {};  ///< where inputs that nobody gave come from, in words
};

/// @throws UsageError where the model rejects the inputs.
ACTSWAP_API Probe run_probe(const torch::jit::Module& module,
                            const std::vector<torch::Tensor>& inputs);

/// Compares the model's outputs with those of another, on the same random numbers.
ACTSWAP_API Verification compare_with(const Probe& expected, const torch::jit::Module& model,
                                      double tolerance);

/// Compares two models on the same inputs.
ACTSWAP_API Verification compare_models(const torch::jit::Module& model,
                                        const torch::jit::Module& other,
                                        const std::vector<torch::Tensor>& inputs, double tolerance);

/// Inputs that the model accepts, and its outputs: the first of guess_inputs (input_guesses.h) for
/// which any output is finite, otherwise the first that runs. Empty if none does.
/// @param module is run on each guess in eval mode
/// @param recorded what the model's trace was made with, where that is known
ACTSWAP_API Probe guess_probe(const torch::jit::Module& module,
                              const std::vector<RecordedInput>& recorded = {});

/// As --input spells them: "2x3x320x320:float32, 2x8:int64"; one of dimension 0 as "1:float32".
ACTSWAP_API std::string shapes_in_words(const std::vector<torch::Tensor>& inputs);

/// Whether the outputs hold anything to compare: what compare_outputs takes for verified.
bool has_evidence(const Outputs& outputs);

}  // namespace actswap
