// Joins the results of several forward passes as if one pass had taken all their examples.
#pragma once

#include <torch/types.h>

#include <vector>

namespace actswap {

/// Outputs of a model: rows follow rows, and numbers become a row.
/// @param all the results of the passes before; empty: there were none
/// @param more of the same kinds, in the same order
void append_outputs(std::vector<torch::Tensor>& all, const std::vector<torch::Tensor>& more);

/// Outputs of layers and sites. A value of one dimension is the row of a single example, whose
/// batch dimension the model has dropped.
void append_values(std::vector<torch::Tensor>& all, const std::vector<torch::Tensor>& more);

}  // namespace actswap
