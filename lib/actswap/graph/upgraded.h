// What LibTorch puts in the place of operators that meant something else in old files.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <optional>
#include <vector>

namespace actswap {

/// A division in a file of before PyTorch 1.6, where the quotient of whole numbers was one:
/// if a.is_floating_point(): a / b  else: torch.div(a, b, rounding_mode="trunc").
struct UpgradedDivision {
  torch::jit::Value* dividend;
  torch::jit::Value* divisor;
  bool in_place;
  std::vector<torch::jit::Node*> condition;  ///< the nodes that look at the types
};

/// Empty for a node that is none.
std::optional<UpgradedDivision> upgraded_division(torch::jit::Node* node);

}  // namespace actswap
