// Writing an activation into a graph, in stock operators.
#pragma once

#include <actswap/activation/activation.h>

#include <torch/csrc/jit/ir/ir.h>

namespace actswap {

/// Inserts activation(x) before `where`; returns its value.
torch::jit::Value* emit_activation(const ActivationSpec& activation, torch::jit::Value* x,
                                   torch::jit::Node* where);

/// Does the same, but writes over x if one operator can (relu_): for an activation that wrote over
/// its input before, so that nothing reads x after it.
torch::jit::Value* emit_activation_in_place(const ActivationSpec& activation, torch::jit::Value* x,
                                            torch::jit::Node* where);

}  // namespace actswap
