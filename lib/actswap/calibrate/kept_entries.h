// Which entries of the original's tensors a module still has after units were removed from it.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace actswap {

struct KeptEntries {
  /// Ascending indices into the original's tensor, by its path and the dimension as it is stored.
  /// A dimension that is not listed has all entries.
  std::map<std::pair<std::string, std::int64_t>, torch::Tensor> indices = {};
  /// Paths of the weights that read removed units, so that their layers' inputs have changed.
  std::set<std::string> readers = {};

  bool empty() const { return indices.empty() && readers.empty(); }
};

/// The entries of the original that the pruned model has too. @param kept undefined: all
/// @param original a tensor of the original, or an output of one of its layers
/// @param dim the dimension that lost entries
inline torch::Tensor of_kept(const torch::Tensor& original, const torch::Tensor& kept,
                             std::int64_t dim) {
  return kept.defined() ? original.index_select(dim, kept) : original;
}

}  // namespace actswap
