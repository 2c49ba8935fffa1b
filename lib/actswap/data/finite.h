// Values that no computation survives: a NaN or an infinity in one example makes the whole model
// one.
#pragma once

#include <actswap/data/column.h>

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <string>

namespace actswap {

/// What a column's entries may hold beside finite numbers.
enum class Infinities {
  none,
  of_masks,  ///< minus infinity in a batch whose other values are 0: attention that is masked
};

/// @param entries of the column `name`: those with the indices
/// @param what for messages: "the input 'x' of 'data.pt'"
/// @throws UsageError that names the first example with a value that is not finite, and its place
void expect_finite(const torch::Tensor& entries, std::span<const std::int64_t> indices,
                   Infinities allowed, const std::string& what);

/// The same of the first `size` entries, where these are floating-point numbers and few enough that
/// it takes no time: 2^28 bytes at most.
void expect_finite(const Column& column, std::int64_t size, Infinities allowed,
                   const std::string& what);

}  // namespace actswap
