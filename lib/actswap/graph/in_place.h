// Finds what else in a model sees the memory that its activations write to and return.
#pragma once

#include <actswap/graph/trace.h>

#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

#include <map>
#include <string>
#include <utility>

namespace actswap {

struct MemoryUse {
  /// Why the activation cannot be replaced by one that does not write in place. Empty if it can,
  /// provided that later readers of its input in the same block get the new value.
  std::string obstacle = {};
  bool output_is_written = false;  ///< the model writes in place to the activation's output
};
/// By activation and object: the code of a class may be free for one object and not for another.
using MemoryUses = std::map<std::pair<const Match*, const c10::ivalue::Object*>, MemoryUse>;

/// The uses of all activations that a tracer met, if it did not give up; others never run.
MemoryUses memory_uses(const Tracer& tracer);

/// For a tracer that gave up: activations that write in place stay.
MemoryUse unknown_memory_use(const Match& match);

/// Whether something else in the graph uses the value.
bool is_read_elsewhere(const torch::jit::Node* user, const torch::jit::Value* value);

}  // namespace actswap
