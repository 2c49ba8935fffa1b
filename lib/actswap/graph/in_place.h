// What else in a model sees the memory that its activations write to and give back.
#pragma once

#include <actswap/graph/trace.h>

#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

#include <map>
#include <string>
#include <utility>

namespace actswap {

struct MemoryUse {
  /// Why the activation cannot be replaced by one that does not write in place; empty where it can,
  /// if what reads its input afterwards in the same block is given the new value.
  std::string obstacle = {};
  bool output_is_written = false;  ///< the model writes in place to what it gives back
};
/// By activation and object: the code of a class may be free for one object and not for another.
using MemoryUses = std::map<std::pair<const Match*, const c10::ivalue::Object*>, MemoryUse>;

/// Of all activations that a tracer met that did not give up; others are in code that does not run.
MemoryUses memory_uses(const Tracer& tracer);

/// Where the tracer gave up: what writes in place stays.
MemoryUse unknown_memory_use(const Match& match);

/// Whether something else in the graph uses the value.
bool is_read_elsewhere(const torch::jit::Node* user, const torch::jit::Value* value);

}  // namespace actswap
