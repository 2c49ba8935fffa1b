// Whether what an activation writes in place is seen by more than a replacement would reach.
#pragma once

#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

#include <string>
#include <vector>

namespace actswap {

/// Why a node that writes to `input` in place cannot be replaced by one that does not, as far as
/// its own graph tells; "" where it can, if what reads `input` afterwards is given the new value.
std::string in_place_obstacle(torch::jit::Node* node, torch::jit::Value* input);

/// Whether something but the callee may see what it writes to this argument of a call: anything
/// that reads the argument in the graph of the call (or a view of it), and where the argument came
/// from a caller, in that one's, and so on.
/// @param types all classes of the model
/// @param index of the argument, self being 0
bool argument_is_read_elsewhere(const std::vector<c10::ClassTypePtr>& types,
                                const c10::ClassTypePtr& type, const std::string& method,
                                std::size_t index);

/// The same within the graph of one call: somebody else uses the value or a view of it.
bool is_read_elsewhere(const torch::jit::Node* user, const torch::jit::Value* value);

/// Whether the node's outputs may share memory with its inputs: a write to one is seen through the
/// other. What is put into a list or tuple and taken out again is the same memory too.
bool is_view(const torch::jit::Node* node);

/// Whether the node calls the method, and that on what may be an object of the class.
bool may_call(const torch::jit::Node* node, const c10::ClassTypePtr& type,
              const std::string& method);

}  // namespace actswap
