// Runs a model: for its outputs (ModelRun), or as a step of its training (run_model).
#pragma once

#include <actswap/base/export.h>
#include <actswap/graph/input_layout.h>
#include <actswap/run/outputs.h>

#include <torch/script.h>

#include <cstdint>
#include <string>
#include <vector>

namespace actswap {

struct ModelRunOptions {
  /// Let LibTorch optimise the graphs. For one run that takes longer than to interpret them as they
  /// are.
  bool optimizes_graphs = true;
  /// Have gradients on, as in training: code may ask (torch.is_grad_enabled).
  bool has_gradients = false;
};

/// Runs a model in eval mode, on copies of its inputs, and leaves no trace: modes, buffers,
/// counters and the caller's random numbers are afterwards as before. Gradients are off, unless the
/// model's own code takes some.
///
/// Every run draws the same random numbers for the same seed, so the outputs of two models can be
/// compared even if both are random, like dropout that is always on.
class ACTSWAP_API ModelRun {
 public:
  explicit ModelRun(const torch::jit::Module& module, ModelRunOptions options = {});

  /// @return values that later runs and changes of the model's tensors leave as they are
  /// @throws UsageError where the model rejects the inputs (with what it said), or cannot run on
  ///   the CPU
  Outputs operator()(const std::vector<torch::Tensor>& inputs, std::uint64_t seed = 0);

  /// How long the last forward took.
  double milliseconds() const { return milliseconds_; }
  /// The processor time that the calling thread had meanwhile.
  double processor_milliseconds() const { return processor_milliseconds_; }
  /// Whether any run so far has drawn random numbers.
  bool is_random() const { return is_random_; }

 private:
  Outputs run(const std::vector<torch::Tensor>& inputs, std::uint64_t seed, bool optimizes);

  torch::jit::Module module_;
  ModelRunOptions options_;
  InputLayout layout_;
  bool takes_gradients_ = false;
  double milliseconds_ = 0.0;
  double processor_milliseconds_ = 0.0;
  bool is_random_ = false;
};

/// Runs each of several models once, before something that compares them.
/// @param modules the models
/// @param names of the models, for the error
/// @param inputs for each of them
/// @throws UsageError as ModelRun does, with the name of the model
ACTSWAP_API void expect_accepted(const std::vector<torch::jit::Module>& modules,
                                 const std::vector<std::string>& names,
                                 const std::vector<torch::Tensor>& inputs);

/// Runs forward in the mode that the module is in, with gradients where the caller has them on.
/// @return the tensors of its output, see tensors_in
/// @throws UsageError where the model rejects the inputs (with what it said), or cannot run on the
///   CPU
ACTSWAP_API std::vector<torch::Tensor> run_model(torch::jit::Module& module,
                                                 const std::vector<torch::Tensor>& inputs);

}  // namespace actswap
