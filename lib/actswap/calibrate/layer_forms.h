// The operators that are linear or convolution layers, and the roles of their inputs.
#pragma once

#include <actswap/calibrate/program_tensors.h>

#include <torch/csrc/jit/ir/ir.h>
#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

/// One layer of the outermost block. A product with a matrix counts as one if the matrix is a
/// parameter:
///   linear(x, w, b), addmm(b, x, w), matmul(x, w), mm(x, w)
/// If the operator adds no bias, a parameter that is added to its output is the bias.
struct LayerForm {
  torch::jit::Node* node = nullptr;  ///< the operator
  const torch::jit::Value* input = nullptr;
  const torch::jit::Value* weight = nullptr;  ///< as the module has it
  const torch::jit::Value* bias = nullptr;    ///< null: none
  const torch::jit::Value* output = nullptr;  ///< of the operator, or of the sum with the bias
  /// A product x w with w of inputs x outputs. (Linear layers and convolutions have outputs first.)
  bool has_inputs_first = false;
  bool is_convolution = false;
};

struct Geometry {
  std::vector<std::int64_t> stride = {};
  std::vector<std::int64_t> padding =
      {};  ///< in front; empty: "same", half of what the kernel takes
  std::vector<std::int64_t> dilation = {};
  std::int64_t groups = 1;
  bool is_transposed = false;  ///< of one group
};
/// The geometry of a convolution; empty if only a run would tell, for a transposed convolution of
/// several groups, and for recurrent layers.
std::optional<Geometry> geometry_of(torch::jit::Node* node);

/// Whether the operator is that of a layer, if what it multiplies with is a parameter.
bool may_be_layer(const torch::jit::Node* node);

class LayerForms {
 public:
  LayerForms(Program& program, const ProgramTensors& tensors);

  /// The layer of an operator; null if it is none.
  const LayerForm* at(const torch::jit::Node* node) const;
  /// The parameter that an einsum reads whose equation is not that of a linear layer; null for any
  /// other node.
  const torch::jit::Value* unknown_product(const torch::jit::Node* node) const;
  /// The layer whose output this is; null if there is none.
  const LayerForm* giving(const torch::jit::Value* output) const;

  /// A view of the parameter with outputs first and the kernel of a convolution last. Undefined if
  /// the weight is computed, or not of numbers, or if something else reads it too.
  torch::Tensor weight_of(const LayerForm& form) const;
  /// A view of the parameter, one number for each output. Undefined as above, and if their number
  /// differs.
  torch::Tensor bias_of(const LayerForm& form) const;

 private:
  std::optional<LayerForm> form_of(torch::jit::Node* node) const;
  void find_bias_behind(LayerForm& form) const;

  const torch::jit::Block* block_;
  const ProgramTensors& tensors_;
  std::map<const torch::jit::Node*, LayerForm> forms_;
  std::map<const torch::jit::Value*, const torch::jit::Node*> by_output_;
};

}  // namespace actswap
