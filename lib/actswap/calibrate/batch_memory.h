// Batches that are small enough to run.
#pragma once

#include <torch/script.h>

#include <cstdint>
#include <vector>

namespace actswap {

using Batches = std::vector<std::vector<torch::Tensor>>;

std::int64_t bytes_of(const std::vector<torch::Tensor>& tensors);
/// Of all batches.
std::int64_t bytes_of(const Batches& batches);

/// The batches, each cut into parts of nearly the same size where a run of it would take more than
/// these bytes, as runs of two and of four examples tell. They stay as they are where the model
/// accepts neither. The parts are views, of two examples at least.
Batches cut_to_fit(const torch::jit::Module& module, const Batches& batches, std::int64_t bytes);

}  // namespace actswap
