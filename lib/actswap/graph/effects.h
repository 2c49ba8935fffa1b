// How one node of a graph uses the memory of its inputs, according to its operator's schema.
#pragma once

#include <torch/csrc/jit/ir/ir.h>

#include <cstddef>
#include <vector>

namespace actswap {

/// Whether a value of this type is a tensor or may hold one: a list, a tuple, an object.
bool may_hold_memory(const c10::TypePtr& type);

struct Effects {
  std::vector<std::size_t> written;  ///< inputs that it writes to in place
  /// For each output the inputs whose memory it may share; empty: its memory is new.
  std::vector<std::vector<std::size_t>> shared;
  bool reads_values = true;  ///< false: only shapes, types or whether it is None
  bool cuts = false;         ///< gives a list of parts of its input that do not overlap
};

/// The schema's alias annotations decide. Without them three rules hold. A list may hold any of the
/// node's inputs. An operator that is known to return its input for some arguments, such as
/// dropout in eval mode, always may. A node without annotations may share and write to all inputs.
Effects effects_of(const torch::jit::Node* node);

}  // namespace actswap
