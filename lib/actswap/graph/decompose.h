// Taking apart fused operators that have an activation inside.
#pragma once

#include <torch/script.h>

namespace actswap {

/// Replaces every aten::_transformer_encoder_layer_fwd, which nn.TransformerEncoderLayer calls in
/// eval mode where nothing is to be differentiated, by the operators that it stands for, so that
/// its GELU or ReLU is one like any other. The attributes must have been noted (note_attributes).
void decompose_fused(torch::jit::Block* block);

}  // namespace actswap
