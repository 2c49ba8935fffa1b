// Taking apart fused operators, which have no gradient.
#pragma once

#include <torch/script.h>

namespace actswap {

/// Replaces every aten::_transformer_encoder_layer_fwd, which nn.TransformerEncoderLayer calls in
/// eval mode where nothing is to be differentiated, by the operators that it stands for, so that
/// its GELU or ReLU is one like any other. The attributes must have been noted (note_attributes).
void decompose_encoder_layer(torch::jit::Block* block);

/// Does the same to aten::_native_multi_head_attention, which nn.MultiheadAttention calls under the
/// same conditions: where it always runs, as in a trace that was made without gradients, and where
/// one tensor is query, key and value. Otherwise nothing could train its weights, and its heads
/// could not be removed. The tensors must be dense, not nested.
/// @param block of a whole method
void decompose_attention(torch::jit::Block* block);

}  // namespace actswap
