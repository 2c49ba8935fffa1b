// Finds values that no computation survives: a NaN or an infinity in one example spreads through
// the whole model.
#pragma once

#include <actswap/data/column.h>

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <string>

namespace actswap {

/// Which values besides finite numbers a column's entries may hold.
enum class Infinities {
  none,
  of_masks,  ///< minus infinity in a batch whose other values are 0: attention that is masked
};

/// @param entries of the column `name`: those with the indices
/// @param what for messages: "the input 'x' of 'data.pt'"
/// @throws UsageError that names the first example with a value that is not finite, and its place
void expect_finite(const torch::Tensor& entries, std::span<const std::int64_t> indices,
                   Infinities allowed, const std::string& what);

/// The same for the first `size` entries, if these are floating-point numbers and so few that it
/// takes no time: 2^28 bytes at most.
void expect_finite(const Column& column, std::int64_t size, Infinities allowed,
                   const std::string& what);

}  // namespace actswap
