// Finds the layers before and after each blend: what a fit can change, and where a shift goes.
#pragma once

#include <actswap/calibrate/affines.h>
#include <actswap/calibrate/kept_entries.h>
#include <actswap/calibrate/layer_forms.h>
#include <actswap/calibrate/program.h>

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

/// A linear or convolution layer (LayerForm) whose weights stand in one place and are read by it
/// alone. Convolutions have one to three dimensions.
struct Layer {
  std::string name;  ///< path of its module, or of its weight where that is the root's
  const torch::jit::Node* node = nullptr;
  const torch::jit::Value* input = nullptr;
  const torch::jit::Value* output = nullptr;  ///< with the bias
  torch::Tensor weight;  ///< out x in, or out x in / groups x k (x k (x k)); may be a view
  torch::Tensor bias;    ///< one number for each output; undefined where it has none
  /// Where a layer without bias takes an offset instead: a tensor of an affine behind it, which
  /// changes by `factor` times the wanted change of the layer's output. In a batch norm it is the
  /// running mean, otherwise the bias.
  struct Offset {
    torch::Tensor tensor;  ///< undefined: there is none
    torch::Tensor factor;  ///< one number for each channel, or for all
  } offset = {};
  /// The value that is compared with the original's: the layer's output, or that of the affines
  /// behind it, or the residual sum that alone reads one of these, so that the layer makes up for
  /// errors of the other branches. The sum may repeat the layer's output (broadcasting).
  const torch::jit::Value* compared = nullptr;
  torch::Tensor scale;  ///< the factor of those affines for each channel; undefined: 1
  bool is_convolution = false;
  Geometry geometry = {};  ///< of a convolution; the weight is seen as if not transposed
  /// The number of the blend whose output goes to this layer alone, directly or through affines;
  /// -1: there is none.
  std::int64_t site = -1;
  torch::Tensor site_scale;  ///< the factor of those affines for each channel; undefined: 1
  /// Which of the original's outputs, and which of its input channels, the layer has; undefined:
  /// all.
  torch::Tensor kept_outputs = {};
  torch::Tensor kept_inputs = {};

  std::int64_t channel_dim() const { return is_convolution ? 1 : -1; }  ///< of its output
  bool takes_offset() const { return bias.defined() || offset.tensor.defined(); }
};

/// Adds one number to each of the layer's outputs, if the layer takes an offset.
void add_offset(const Layer& layer, const torch::Tensor& numbers);

/// A blend of the outermost block, in the order of the program.
struct BlendSite {
  std::string path;  ///< of the blend module
  const torch::jit::Node* call = nullptr;
  const torch::jit::Value* input = nullptr;
  const torch::jit::Value* output = nullptr;
  bool reaches_layer = false;  ///< one that is fitted, before another layer or blend
  /// Whether it also reaches another blend or the model's output without a layer or a sum between.
  bool past_layers = false;
  /// Whether it reaches the model's output in that way: features that a backbone gives.
  bool is_returned = false;
  /// Whether its output goes into a sum unchanged, so that no layer can scale it.
  bool feeds_sum = false;
  /// Whether its output is multiplied with another value, so that nothing can undo an offset of it.
  bool feeds_gate = false;
  /// The bias that shifts nothing but its input; undefined if there is none.
  torch::Tensor bias;
  /// The weight that together with the bias scales nothing but its input; channels are its first
  /// dimension. Undefined if there is none.
  torch::Tensor weight;
  /// input = line.factor * bias + line.offset + what the weight multiplies
  Line line = {};
  std::string producer = {};                        ///< whose bias that is
  const torch::jit::Node* producer_node = nullptr;  ///< the first that reads bias or weight
  std::int64_t channel_dim = 1;                     ///< of its input
};

/// A batch norm with running statistics, the only reader of all its tensors.
struct BatchNorm {
  std::string name;  ///< path of its module
  const torch::jit::Node* node = nullptr;
  const torch::jit::Value* input = nullptr;  ///< channels in dimension 1
  const torch::jit::Value* output = nullptr;
  torch::Tensor weight;
  torch::Tensor bias;
  torch::Tensor running_mean;
  torch::Tensor running_var;
  double eps = 0.0;
  bool is_behind_layer = false;      ///< one that is fitted, with nothing but affines between
  torch::Tensor kept_channels = {};  ///< of the original's, that it has; undefined: all
};

struct Neighbourhood {
  std::vector<BlendSite> sites;
  /// The layers that blends or removed units reach, through other layers too.
  std::vector<Layer> layers;
  std::vector<BatchNorm> norms;  ///< the norms that they reach
  /// The layers that they reach but that cannot be fitted, and why.
  std::vector<std::string> left_out = {};
};

/// @param pruned which entries of the original's tensors the fitted module has
Neighbourhood find_neighbours(Program& program, const KeptEntries& pruned = {});

}  // namespace actswap
