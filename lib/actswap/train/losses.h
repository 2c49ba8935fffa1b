// The formulas of the signals, and what evaluation reports. Each throws UsageError, with the shapes
// and types found, where its tensors do not fit.
#pragma once

#include <actswap/ranks/together.h>

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace actswap {

/// For messages: "float of shape [2, 3]".
std::string describe(const torch::Tensor& tensor);

/// The tensor that label losses and metrics look at: the first one. @throws UsageError for none.
const torch::Tensor& main_output(const std::vector<torch::Tensor>& outputs);

/// Mean over examples and positions; logits N x C (x ...), integer classes N (x ...) in [0, C).
/// @param class_dim where the C of the logits is; negative: from the end
torch::Tensor cross_entropy(const torch::Tensor& logits, const torch::Tensor& target,
                            std::int64_t class_dim = 1);

/// Mean over all elements; the shapes must be equal, nothing is broadcast.
torch::Tensor mean_squared_error(const torch::Tensor& output, const torch::Tensor& target);

/// KL(softmax(teacher / T) || softmax(student / T)) T^2 over the dimension of the classes, mean
/// over examples and positions: the cross-entropy between the two less the teacher's own entropy,
/// so that 0 is perfect. The factor keeps the gradient's size the same for every T (Hinton et al.
/// 2015).
torch::Tensor distillation(const torch::Tensor& student, const torch::Tensor& teacher,
                           double temperature, std::int64_t class_dim = 1);

/// 1 - (a . b) / (|a| |b|) over the last dimension, mean over the others.
torch::Tensor cosine_distance(const torch::Tensor& output, const torch::Tensor& original);

/// Mean over the sites of mean((value - original)^2) / variance(original); a site at which the
/// original is constant adds 0.
/// @param values of this process's share of a batch
/// @param originals of the same
/// @param together that have shares: the variance is that of all of it
torch::Tensor site_loss(const std::vector<torch::Tensor>& values,
                        const std::vector<torch::Tensor>& originals, const Together& together = {});

}  // namespace actswap
