// The operators that are linear or convolution layers, and which of their inputs is what.
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

/// One layer of the outermost block. A product with a matrix counts where the matrix is a
/// parameter:
///   linear(x, w, b), addmm(b, x, w), matmul(x, w), mm(x, w)
/// Where the operator adds no bias, a sum with a parameter behind it does.
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
/// Of a convolution; none where it is not known before the program runs, for a transposed one of
/// several groups, and for recurrent layers.
std::optional<Geometry> geometry_of(torch::jit::Node* node);

/// Whether the operator is that of a layer, if what it multiplies with is a parameter.
bool may_be_layer(const torch::jit::Node* node);

class LayerForms {
 public:
  LayerForms(Program& program, const ProgramTensors& tensors);

  /// Of an operator; null where it is no layer.
  const LayerForm* at(const torch::jit::Node* node) const;
  /// The parameter that an einsum reads, since its equation is not that of a linear layer; null
  /// for another node.
  const torch::jit::Value* unknown_product(const torch::jit::Node* node) const;
  /// Whose output this is; null where it is none's.
  const LayerForm* giving(const torch::jit::Value* output) const;

  /// Outputs first, and with the kernel of a convolution behind; a view of the parameter. Undefined
  /// where it is computed, read by something else too, or no number.
  torch::Tensor weight_of(const LayerForm& form) const;
  /// One number for each output; a view of the parameter. Undefined as above, and where there are
  /// not as many.
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
