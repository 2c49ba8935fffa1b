// How many examples a run, or its gradient, may be of, so that it stays within some memory.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace actswap {

/// The most bytes that a gradient takes at a time.
struct GradientMemory {
  std::int64_t forward = 0;  ///< until the error is there: this grows with the number of examples
  std::int64_t all = 0;      ///< with the backward pass, in which gradients of weights appear
};

/// @param error computes what the gradient is of
GradientMemory memory_of_gradient(const std::function<torch::Tensor()>& error,
                                  const std::vector<torch::Tensor>& tensors);

/// How many of something a run is of, and about how much it takes.
struct Fitting {
  std::int64_t count = 0;
  std::int64_t bytes = 0;  ///< 0: unknown
};

/// As many as fit into the memory, as runs of few, and of twice as many, tell.
/// @param taken_by what a run of this many takes; without a gradient, `all` is as `forward`
/// @param least at least so many, whatever they take
/// @param unless_known the count where the model rejects few, or has no gradient
/// @throws what a run throws where memory runs out
Fitting fitting_into(std::int64_t memory,
                     const std::function<GradientMemory(std::int64_t)>& taken_by, std::int64_t few,
                     std::int64_t least, std::int64_t unless_known);

}  // namespace actswap
