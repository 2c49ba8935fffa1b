// A blended model and the original on the same inputs, compared layer by layer.
#pragma once

#include <actswap/calibrate/layer_errors.h>
#include <actswap/calibrate/program.h>

#include <torch/script.h>

#include <vector>

namespace actswap {

/// Both run as in eval mode: batch norms use their running statistics, and there is no dropout.
class LayerComparison {
 public:
  /// @param original blended by the same plan, at t = 0
  /// @param pruned which entries of the original's tensors the blended model has
  /// @throws UsageError if the original's code differs
  LayerComparison(const torch::jit::Module& blended, const torch::jit::Module& original,
                  const KeptEntries& pruned = {});

  /// Whether there is no layer to compare.
  bool is_empty() const { return moments_.size() == 1; }

  struct Values {
    std::vector<torch::Tensor> outputs;  ///< of the model
    std::vector<torch::Tensor> layers;   ///< that are compared
  };

  /// With a gradient, where gradients are on.
  /// @throws UsageError where the model rejects the inputs
  Values run(Which model, const std::vector<torch::Tensor>& inputs);

  /// What LayerErrors says.
  torch::Tensor error(const Values& blended, const Values& original,
                      const Together& together = {}) const;

 private:
  Program program_;
  LayerErrors errors_;
  std::vector<Moment> moments_;  // of the layers, and of what the model gives
};

}  // namespace actswap
