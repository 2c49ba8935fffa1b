// Which tensor of the module a value of the program is.
#pragma once

#include <actswap/calibrate/program.h>
#include <actswap/graph/walk.h>

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <unordered_set>

namespace actswap {

/// The parameters, buffers and constants that the program reads, and how often it reads each.
class ProgramTensors {
 public:
  explicit ProgramTensors(Program& program);

  /// A parameter, buffer or constant; undefined where the value is computed.
  torch::Tensor tensor_of(const torch::jit::Value* value) const;
  /// The same tensor if nothing else reads it (in forward, in methods that forward does not call,
  /// by a list or by another tensor in the same memory), it holds floating-point numbers, and the
  /// module has it, so that it was not folded from constants. Otherwise undefined.
  torch::Tensor own_tensor(const torch::jit::Value* value) const;

  /// A matrix that the program reads as it is, or after a chain of transposes.
  struct Matrix {
    const torch::jit::Value* read = nullptr;  ///< of the tensor itself
    bool is_transposed = false;
  };
  static Matrix matrix_of(const torch::jit::Value* value);

  /// A parameter, or a constant: what freezing makes of one.
  bool is_parameter(const torch::jit::Value* value) const;
  bool is_none(const torch::jit::Value* value) const;

 private:
  std::optional<c10::IValue> attribute_of(const torch::jit::Value* value) const;
  void note_overlaps(const torch::jit::Module& module);

  Bindings bindings_;
  std::unordered_map<const c10::TensorImpl*, int> reads_;
  std::unordered_set<const c10::TensorImpl*> constants_;  // in the code of the module
};

/// The parameter or buffer at a path like "body.0.conv.weight"; undefined: there is none.
torch::Tensor tensor_at(const torch::jit::Module& module, const std::string& path);

/// "body.0.conv.weight" of a chain of attributes, wherever it begins.
std::string attribute_path(const torch::jit::Value* value);

}  // namespace actswap
