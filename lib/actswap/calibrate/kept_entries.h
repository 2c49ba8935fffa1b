// What a module that units were removed from still has of the original's tensors.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace actswap {

struct KeptEntries {
  /// By the path of a tensor and its dimension as it is stored: indices in that of the original,
  /// ascending. What is not here has all.
  std::map<std::pair<std::string, std::int64_t>, torch::Tensor> indices = {};
  /// Paths of the weights that read removed units: what their layers are given has changed.
  std::set<std::string> readers = {};

  bool empty() const { return indices.empty() && readers.empty(); }
};

/// Those of the original's values that the pruned model has as well. @param kept undefined: all
/// @param original a tensor of the original, or an output of one of its layers
/// @param dim the dimension that lost entries
inline torch::Tensor of_kept(const torch::Tensor& original, const torch::Tensor& kept,
                             std::int64_t dim) {
  return kept.defined() ? original.index_select(dim, kept) : original;
}

}  // namespace actswap
