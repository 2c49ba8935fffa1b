// Whether two models give the same.
#pragma once

#include <actswap/base/export.h>
#include <actswap/run/outputs.h>

#include <torch/types.h>

#include <cstdint>
#include <string>

namespace actswap {

struct Verification {
  /// Every value agrees, and some of them mean something: at least one that is finite.
  bool verified = false;
  /// Some value differs. Where neither this nor `verified` holds nothing could be compared.
  bool differs = false;
  std::string reason = {};    ///< why it is not verified
  double max_abs_diff = 0.0;  ///< over all finite values
  double max_rel_diff = 0.0;  ///< the largest of max |y - y0| / max |y0| over the outputs
  std::int64_t outputs = 0;   ///< values compared: tensors, numbers, strings, ...
  bool is_random = false;     ///< a model drew random numbers; both were given the same
};

/// Compares value by value: their places in the output, types, shapes. Floating-point and complex
/// values (both parts) agree up to the tolerance, integers, bools and strings exactly; an infinity
/// agrees with the same infinity, NaN with NaN. Where floating-point values are compared but none
/// of them is finite, or there is no value at all, that is not verified.
/// @param expected values with their places
/// @param found the same of the other model
/// @param tolerance largest difference, relative to the largest magnitude in the expected output
ACTSWAP_API Verification compare_outputs(const Outputs& expected, const Outputs& found,
                                         double tolerance);

/// Both together, of the same two models on other inputs: verified by either, different by either.
Verification combined(const Verification& first, const Verification& second);

/// Whether its numbers are floating-point or complex ones, which are equal up to a tolerance.
bool is_continuous(const torch::Tensor& output);

/// y - y0 in float64, complex numbers as pairs; 0 where both are the same infinity or both NaN: in
/// outputs that are masked nothing can be wrong. Any shape, the same for both.
ACTSWAP_API torch::Tensor output_difference(const torch::Tensor& y, const torch::Tensor& y0);

/// In float64, complex numbers as pairs, 0 in the place of what is not finite.
ACTSWAP_API torch::Tensor finite_part(const torch::Tensor& output);

/// Whether any number in it is finite.
ACTSWAP_API bool has_finite(const torch::Tensor& output);

}  // namespace actswap
