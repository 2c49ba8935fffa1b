// Inserting blends, and taking them out again.
#pragma once

#include <actswap/graph/blend.h>
#include <actswap/graph/plan.h>

#include <torch/script.h>

#include <map>
#include <string>

namespace actswap {

struct Insertion {
  torch::jit::Module root;  ///< another object than was given where classes were split
  std::map<std::string, std::string> paths;  ///< site id to the path of its blend module
};

/// Puts a blend module at every planned site of a module that has not run yet.
/// @throws UsageError where a planned site is not found.
Insertion insert_blends(const torch::jit::Module& root, const Plan& plan, BlendCode code);

/// A copy without blends: see collapse_blends. It shares its tensors.
torch::jit::Module collapsed(const torch::jit::Module& root);

/// Replaces every blend by its target and removes the blend modules; the module must not have run.
/// @return how many blends were removed
std::size_t collapse_blends(const torch::jit::Module& root);

}  // namespace actswap
