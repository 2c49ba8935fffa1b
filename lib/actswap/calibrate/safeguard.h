// Makes sure that a calibration does no harm. It fits each site and layer by itself; if it can fit
// little (activations with no layer between them, say), errors that cancelled before may add up.
#pragma once

#include <actswap/ranks/together.h>

#include <torch/script.h>

#include <string>
#include <vector>

namespace actswap {

class Safeguard {
 public:
  /// Runs the module with its blends at 0, where they are, and at 1: the swap alone. Then they are
  /// at 0 again.
  /// @param inputs each rank passes its share
  /// @param fitted the tensors that may be changed
  Safeguard(torch::jit::Module& blended, const std::vector<torch::Tensor>& inputs,
            std::vector<torch::Tensor> fitted, Together together = {});
  /// For a module whose blends stay at 1: remembers it as it is now, to put the tensors back if it
  /// is nearer to the original than the fitted one.
  Safeguard(torch::jit::Module& blended, const torch::jit::Module& original,
            const std::vector<torch::Tensor>& inputs, std::vector<torch::Tensor> fitted,
            Together together = {});
  /// With the blends at 1: puts the tensors back where the outputs are farther from the original's
  /// than those of the swap alone, by sum of squares, or where something is not finite.
  /// @return why it did; empty: it did not
  std::string undo_harm();

 private:
  double error();

  torch::jit::Module& blended_;
  const std::vector<torch::Tensor>& inputs_;
  std::vector<torch::Tensor> fitted_;
  Together together_;
  std::vector<torch::Tensor> before_;
  std::vector<torch::Tensor> original_outputs_;
  double swap_alone_ = 0.0;
};

}  // namespace actswap
