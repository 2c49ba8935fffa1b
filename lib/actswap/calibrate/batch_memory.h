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

/// Cuts a batch into parts of nearly equal size if a run of it would take more than this many
/// bytes, as runs of two and of four examples show. If the model accepts neither run, the batches
/// stay as they are. The parts are views of at least two examples.
Batches cut_to_fit(const torch::jit::Module& module, const Batches& batches, std::int64_t bytes);

}  // namespace actswap
