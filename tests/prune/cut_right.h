// What can be pruned, and whether a cut model gives the outputs of one with silent units.
#pragma once

#include <actswap/graph/reload.h>
#include <actswap/prune/units.h>

#include <torch/script.h>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models.h"

namespace actswap {

/// "w1 3; w2 6": name and count of each group.
inline std::string groups_in(const Units& units) {
  std::string found;
  for (const auto& group : units.groups) {
    found += (found.empty() ? "" : "; ") + group.name + " " + std::to_string(group.count);
  }
  return found;
}

/// The second unit of each group goes; then the models are compared on the inputs.
inline void expect_cut_right(const torch::jit::Module& module, const Units& units,
                             const std::vector<torch::Tensor>& inputs) {
  auto keep = keep_all(units);
  for (auto& group : keep) {
    group[1] = false;
  }
  const auto smaller = cut(module, units, keep);
  const auto silent = reload(module);
  silence(silent, units, keep);
  EXPECT_LT(largest_difference(outputs_of(smaller, inputs), outputs_of(silent, inputs)), 1e-5);
}

}  // namespace actswap
