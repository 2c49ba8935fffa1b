// Finds the tensors before a blend that can shift and scale its input.
#pragma once

#include <actswap/calibrate/affines.h>
#include <actswap/calibrate/layer_forms.h>
#include <actswap/calibrate/program.h>

#include <torch/csrc/jit/ir/ir.h>
#include <torch/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace actswap {

/// Tensors that reach only this value, through affines, residual sums and pooling:
///
///   value = line.factor * bias + line.offset + what the weight multiplies
struct Producer {
  torch::Tensor bias;  ///< one number for each channel; undefined: nothing shifts the value alone
  torch::Tensor
      weight;  ///< its first dimension is the channels; undefined: nothing scales it alone
  Line line;
  std::int64_t channel_dim = 1;             ///< of the value
  std::string name;                         ///< of the module that has the bias
  const torch::jit::Node* first = nullptr;  ///< the first node that reads the bias or weight
};

class Producers {
 public:
  Producers(Program& program, const LayerForms& forms, const Affines& affines,
            const ProgramTensors& tensors);

  /// The producer of a value that only this node reads.
  Producer of(const torch::jit::Value* value, const torch::jit::Node* reader) const;

  /// If layers and norms before the value tell.
  std::optional<Channels> channels_of(const torch::jit::Value* value) const;

 private:
  struct Source : Producer {
    // A factor behind the rest for which no bias has been found yet.
    torch::Tensor pending;
    Line behind_pending;
    const torch::jit::Node* first_of_pending = nullptr;
  };

  Source source(const torch::jit::Value* value, const torch::jit::Node* reader) const;
  Source of_layer(const LayerForm& form) const;
  Source of_norm(const torch::jit::Node* node) const;
  Source of_sum(const torch::jit::Node* node) const;
  Source of_affine(torch::jit::Node* node) const;
  std::optional<Channels> find_channels(const torch::jit::Value* value) const;

  Program& program_;
  const LayerForms& forms_;
  const Affines& affines_;
  const ProgramTensors& tensors_;
  mutable std::map<const torch::jit::Value*, std::optional<Channels>> channels_;
};

/// Dropout in eval mode, copies.
bool is_identity_in_eval(torch::jit::Node* node);
/// The last dimension stays what it was, if its size does.
bool is_view(const torch::jit::Node* node);
/// The node of the outermost block that alone reads the value; null: there is none.
torch::jit::Node* sole_reader(const torch::jit::Graph& graph, const torch::jit::Value* value);
/// Of the module that the tensor belongs to.
std::string module_of(const torch::jit::Value* tensor, const torch::jit::Node* reader);

}  // namespace actswap
