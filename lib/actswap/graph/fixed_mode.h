// Batch norm and dropout whose mode is a constant in the graph, as tracing leaves it.
#pragma once

#include <actswap/base/export.h>

#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

#include <optional>

namespace actswap {

/// The mode (true: training) of a batch norm or dropout that does not read it from its module.
std::optional<bool> fixed_mode(torch::jit::Node* node);

/// Whether any of them is in train mode whatever the module's mode, because the model was traced in
/// train mode.
ACTSWAP_API bool is_always_training(const torch::jit::Module& module);

}  // namespace actswap
