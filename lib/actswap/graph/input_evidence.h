// What a model's code tells about its input tensors: which sizes its layers need, which tables it
// looks them up in, which numbers it compares sizes with.
#pragma once

#include <actswap/graph/input_layout.h>

#include <torch/script.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace actswap {

/// Facts about one input. Empty: unknown.
struct InputEvidence {
  std::optional<torch::ScalarType> type = {};  ///< of the layer that reads it, or int64 for a table
  std::int64_t bound = 0;                      ///< integers: rows of the smallest table; 0: none
  std::optional<std::int64_t> rank = {};
  /// By dimension; those below 0 count from the end.
  std::map<std::int64_t, std::int64_t> sizes = {};
  /// How many numbers an example has, if a layer reads it flattened.
  std::optional<std::int64_t> elements = {};

  bool is_empty() const { return !type && !rank && sizes.empty() && !elements; }
};

struct CodeEvidence {
  std::vector<InputEvidence> inputs = {};  ///< one for each place of the InputLayout
  /// Numbers from 8 to 1024 that the code compares sizes with, and sides of the images for which
  /// tables of positions are made.
  std::set<std::int64_t> sizes = {};
};

/// Follows each input through the flat forward, as far as its shape stays the same, to the layers
/// that read it.
CodeEvidence input_evidence(const torch::jit::Module& module, const InputLayout& layout);

}  // namespace actswap
