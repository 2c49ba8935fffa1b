// What training makes small and evaluation reports. Each throws UsageError, with the shapes and
// types found, where output and target do not fit.
#pragma once

#include <actswap/train/trainer.h>

#include <torch/types.h>

#include <vector>

namespace actswap {

/// The tensor that label losses and metrics look at: the first one. @throws UsageError for none.
const torch::Tensor& main_output(const std::vector<torch::Tensor>& outputs);

/// Mean over examples and positions; logits N x C (x ...), integer classes N (x ...) in [0, C).
torch::Tensor cross_entropy(const torch::Tensor& logits, const torch::Tensor& target);

/// Mean over all elements; the shapes must be equal, nothing is broadcast.
torch::Tensor mean_squared_error(const torch::Tensor& output, const torch::Tensor& target);

/// KL(softmax(teacher / T) || softmax(student / T)) T^2 over dimension 1, mean over examples and
/// positions: the cross-entropy between the two less the teacher's own entropy, so that 0 is
/// perfect. The factor keeps the gradient's size the same for every T (Hinton et al. 2015).
torch::Tensor distillation(const torch::Tensor& student, const torch::Tensor& teacher,
                           double temperature);

/// The loss of one batch. The distilling losses are summed over all floating-point outputs.
/// @param teacher_outputs of the same batch; looked at by the distilling losses only
torch::Tensor compute_loss(const TrainOptions& options, const std::vector<torch::Tensor>& outputs,
                           const torch::Tensor& target,
                           const std::vector<torch::Tensor>& teacher_outputs);

}  // namespace actswap
