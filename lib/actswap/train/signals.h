// The signals: what each compares, a row of a table each.
#pragma once

#include <actswap/ranks/together.h>
#include <actswap/train/loss.h>
#include <actswap/train/output_form.h>

#include <torch/script.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace actswap {

/// What a batch gave.
struct LossInputs {
  std::vector<torch::Tensor> outputs = {};
  std::vector<torch::Tensor> targets = {};
  std::vector<torch::Tensor> original_outputs = {};  ///< of losses that need the original
  std::vector<torch::Tensor> sites = {};             ///< of losses with Signal::sites
  std::vector<torch::Tensor> original_sites = {};
  torch::Tensor layer_error = {};  ///< of losses with Signal::layers
  Together together = {};          ///< that have shares of the batch
};

struct LossOptions {
  double temperature = 1.0;    ///< of distil and outputs
  std::int64_t class_dim = 1;  ///< dimension of the classes, of distil and cross-entropy
  /// Of each output, in order; for outputs, and for cross-entropy on probabilities.
  std::vector<OutputForm> outputs = {};
};

/// A loss that is ready to be computed: the modules it names are loaded.
class LossFunction {
 public:
  /// @throws FileError for a module that cannot be read, UsageError
  LossFunction(const Loss& loss, const LossOptions& options);

  const Loss& loss() const { return loss_; }
  /// The weighted sum. @throws UsageError where shapes, types or counts do not fit
  torch::Tensor operator()(const LossInputs& inputs) const;

 private:
  Loss loss_;
  LossOptions options_;
  std::vector<std::optional<torch::jit::Module>> modules_;  ///< for each term
};

}  // namespace actswap
