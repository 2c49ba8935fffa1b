// Whether the code of a model writes in place to what a value holds.
#pragma once

#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

#include <vector>

namespace actswap {

/// Whether something writes to the value's memory: in its own graph, through a view, in a method
/// that it is handed to, or in a caller that it is returned to.
/// @param types all classes of the model
/// @param type whose method's graph holds the value
bool is_written(const std::vector<c10::ClassTypePtr>& types, const c10::ClassTypePtr& type,
                const torch::jit::Function& method, const torch::jit::Value* value);

}  // namespace actswap
