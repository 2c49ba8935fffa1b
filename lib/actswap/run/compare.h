// Whether two models give the same outputs.
#pragma once

#include <actswap/base/export.h>
#include <actswap/run/outputs.h>

#include <torch/types.h>

#include <cstdint>
#include <string>

namespace actswap {

struct Verification {
  /// Every value agrees, and at least one of them is finite, so that this means something.
  bool verified = false;
  /// Some value differs. If neither this nor `verified` is true, nothing could be compared.
  bool differs = false;
  std::string reason = {};    ///< why it is not verified
  double max_abs_diff = 0.0;  ///< over all finite values
  double max_rel_diff = 0.0;  ///< the largest of max |y - y0| / max |y0| over the outputs
  std::int64_t outputs = 0;   ///< values compared: tensors, numbers, strings, ...
  bool is_random = false;     ///< a model drew random numbers; both were given the same
};

/// Compares value by value: their places in the output, types, shapes. Floating-point and complex
/// values (both parts) agree up to the tolerance, integers, bools and strings exactly; an infinity
/// agrees with the same infinity, NaN with NaN. The result is not verified if there are
/// floating-point values but none is finite, or no value at all.
/// @param expected values with their places
/// @param found the same of the other model
/// @param tolerance largest difference, relative to the largest magnitude in the expected output
ACTSWAP_API Verification compare_outputs(const Outputs& expected, const Outputs& found,
                                         double tolerance);

/// Joins two results for the same two models on different inputs: verified if either is, different
/// if either is.
Verification combined(const Verification& first, const Verification& second);

/// Whether its numbers are floating-point or complex ones, which are equal up to a tolerance.
bool is_continuous(const torch::Tensor& output);

/// y - y0 in float64, complex numbers as pairs; 0 where both are the same infinity or both NaN,
/// because masked outputs cannot be wrong. Both have the same shape.
ACTSWAP_API torch::Tensor output_difference(const torch::Tensor& y, const torch::Tensor& y0);

/// The values in float64, complex numbers as pairs, with 0 for those that are not finite.
ACTSWAP_API torch::Tensor finite_part(const torch::Tensor& output);

/// Whether any number in it is finite.
ACTSWAP_API bool has_finite(const torch::Tensor& output);

}  // namespace actswap
