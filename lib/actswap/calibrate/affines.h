// Operators that multiply each channel by a factor of its own and add an offset of its own.
#pragma once

#include <actswap/calibrate/fixed_values.h>
#include <actswap/calibrate/program_tensors.h>

#include <torch/csrc/jit/ir/ir.h>
#include <torch/types.h>

#include <cstdint>
#include <optional>

namespace actswap {

/// Where the channels of a value are.
struct Channels {
  std::int64_t count = 0;
  /// How many dimensions follow that of the channels: 0 after a linear layer, 2 after conv2d. Empty
  /// if only a run would tell, as after batch_norm, whose channels are in dimension 1.
  std::optional<std::int64_t> behind = {};

  std::int64_t dim() const { return behind == 0 ? -1 : 1; }
};

/// y = factor x + offset. Both are in double: one number for each channel, or one of dimension 0
/// for all.
struct Line {
  torch::Tensor factor = at::ones({}, at::kDouble);
  torch::Tensor offset = at::zeros({}, at::kDouble);

  /// Applies this line first, then `next`.
  Line then(const Line& next) const {
    return {factor * next.factor, offset * next.factor + next.offset};
  }
};

/// 1 / factor, and 0 for channels that the factor removes: those whose factor is below a thousandth
/// of the usual one.
torch::Tensor bounded_reciprocal(const torch::Tensor& factor);

/// One number for each channel, to be multiplied with a value of so many dimensions.
torch::Tensor beside(const torch::Tensor& numbers, std::int64_t dimensions,
                     std::int64_t channel_dim);

/// A product with fixed numbers, a sum with them, or a batch norm that goes by its running
/// statistics.
struct Affine {
  Line line;
  /// The tensors that it multiplies by and adds, as views of one dimension, if they hold one number
  /// for each channel and only this operator reads them. Otherwise undefined.
  torch::Tensor weight;
  torch::Tensor bias;
  double bias_factor = 1.0;  ///< y = ... + bias_factor * bias
  /// The running mean of a batch norm, if the same holds for it.
  torch::Tensor mean;
  const torch::jit::Value* named_by = nullptr;  ///< the tensor that the bias or weight is
  const torch::jit::Node* first = nullptr;      ///< the first node that reads the bias or weight
};

class Affines {
 public:
  Affines(Program& program, const ProgramTensors& tensors);

  /// The x of a node that may be an affine for some channels; null if it cannot be one.
  const torch::jit::Value* input_of(torch::jit::Node* node) const;
  /// Empty unless the node has one number for all channels or one for each of these.
  std::optional<Affine> at(torch::jit::Node* node, const Channels& channels) const;
  /// The channels that an affine's numbers belong to, by their shape; empty if one number serves
  /// all channels or the numbers have several dimensions.
  std::optional<Channels> channels_of(torch::jit::Node* node) const;

  /// Whether it adds something fixed, of whatever shape.
  bool adds(torch::jit::Node* node) const;
  /// Of two nodes; null is none.
  const torch::jit::Node* earlier(const torch::jit::Node* a, const torch::jit::Node* b) const;

  /// x + y of two values that follow from the inputs: a residual sum.
  bool is_sum(torch::jit::Node* node) const;
  /// x * y of two different such values: a gate.
  bool is_gate(torch::jit::Node* node) const;

 private:
  struct Own {
    torch::Tensor tensor;
    double factor = 1.0;  // value = factor * tensor + something fixed
    const torch::jit::Value* read = nullptr;
    const torch::jit::Node* by = nullptr;  // the first node that reads it; null: the affine
  };

  const torch::jit::Value* fixed_operand(torch::jit::Node* node) const;
  torch::Tensor numbers_of(const torch::jit::Value* value, const Channels& channels) const;
  Own own(const torch::jit::Value* value, const Channels& channels, bool is_term) const;
  void take_weight(Affine& affine, const Own& own) const;
  void take_bias(Affine& affine, const Own& own, double factor) const;
  std::optional<Affine> product(torch::jit::Node* node, const Channels& channels) const;
  std::optional<Affine> sum(torch::jit::Node* node, const Channels& channels) const;
  std::optional<Affine> norm(torch::jit::Node* node, const Channels& channels) const;

  const Program& program_;
  const ProgramTensors& tensors_;
  FixedValues fixed_;
};

/// Whether this is a batch_norm that uses its running statistics.
bool is_fixed_batch_norm(torch::jit::Node* node);

}  // namespace actswap
