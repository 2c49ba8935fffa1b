// The code that LibTorch substitutes for operators that had another meaning in old files.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <optional>
#include <vector>

namespace actswap {

/// A division in a file from before PyTorch 1.6, where whole numbers had a whole quotient:
/// if a.is_floating_point(): a / b  else: torch.div(a, b, rounding_mode="trunc").
struct UpgradedDivision {
  torch::jit::Value* dividend;
  torch::jit::Value* divisor;
  bool in_place;
  std::vector<torch::jit::Node*> condition;  ///< the nodes that look at the types
};

/// Empty for any other node.
std::optional<UpgradedDivision> upgraded_division(torch::jit::Node* node);

}  // namespace actswap
