// Takes a model's output apart into the values that it holds.
#pragma once

#include <actswap/base/export.h>

#include <torch/script.h>

#include <string>
#include <vector>

namespace actswap {

/// One value of an output.
struct Output {
  /// Where it stands: "[0].boxes" is the field `boxes` of the first element; empty: the output is
  /// this value alone.
  std::string place;
  /// A tensor, a number, a bool, a string or None. Anything else (a module, a device, a link back
  /// to its own container) becomes a string that names it.
  c10::IValue value;
};
using Outputs = std::vector<Output>;

/// The values in an output, in order: those of tuples (by the field's name in a NamedTuple), lists,
/// dicts and objects, however nested.
/// @throws UsageError where they are nested more than 1000 levels deep
ACTSWAP_API Outputs outputs_in(const c10::IValue& value);

/// The tensors among them. Where there are none, the numbers as tensors of dimension 0 (float64,
/// int64, bool, complex128).
ACTSWAP_API std::vector<torch::Tensor> tensors_in(const Outputs& outputs);
ACTSWAP_API std::vector<torch::Tensor> tensors_in(const c10::IValue& value);

/// Whether the value is a tensor or a number.
bool is_numeric(const c10::IValue& value);

/// A tensor, or a number as one of dimension 0, without its history and dense: quantized values are
/// dequantized.
torch::Tensor plain_tensor(const c10::IValue& value);

}  // namespace actswap
