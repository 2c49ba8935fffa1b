// The units of a model that can be removed, what belongs to each, and removing them.
//
// A unit can only be removed as a whole: a hidden neuron of an MLP, an inner channel of a block, a
// channel of a residual stream with all layers that write to it, a head of attention. Removing it
// takes its entries out of every tensor of the module. The layers that read the unit then compute
// what they would compute if its values were 0:
//
//   cut(module, keep)(x) == module(x) with the columns of removed units set to 0 (silence)
//
// Units with the same tensors form a group: the channels of one convolution, say.
#pragma once

#include <actswap/base/export.h>

#include <torch/script.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace actswap {

enum class SliceRole {
  output,  ///< rows of a layer's weight: they compute the unit
  input,   ///< columns of a layer's weight: they read the unit
  along,   ///< biases, norms, depthwise kernels, factors: one or more entries for each unit
};

/// The entries that a group's units have in one tensor.
struct UnitSlice {
  std::string layer;     ///< path of the module that has the tensor; for the root, of the tensor
  std::string tensor;    ///< path of the parameter or buffer: "layer1.0.conv1.weight"
  std::int64_t dim = 0;  ///< of the tensor, along which the units lie
  SliceRole role = SliceRole::along;
  /// For each unit the indices in that dimension, ascending: one for a channel, H * W behind a
  /// flatten, one for each dimension of a head.
  std::vector<std::vector<std::int64_t>> entries;
};

struct UnitGroup {
  std::string name;  ///< "layer1.0.conv1", or "conv1 and 3 others": the layers that compute it
  std::int64_t count = 0;  ///< of its units, > 1
  /// In the order of the module's tensors. A tensor may have several slices, in different
  /// dimensions.
  std::vector<UnitSlice> slices;
  /// Multiplications of each unit for one example, with all other units present: in layers and in
  /// products of two values (attention).
  double multiplications = 0.0;
  /// The part of these in products of two values (that in layers follows from LayerCost).
  double value_multiplications = 0.0;
  double parameters = 0.0;  ///< of each unit, with all other units present
};

/// A layer, or a tensor whose entries stay, and why.
struct Unprunable {
  std::string name;
  std::string reason;
};

/// A parameter: a weight of a linear or convolution layer, or another one.
struct LayerCost {
  std::string tensor;               ///< path
  std::vector<std::int64_t> sizes;  ///< of all its dimensions, with all units
  double uses = 0.0;                ///< multiplications with each of its entries, for one example
};

/// A number in the code of a method that counts units: the size in a view, the groups of a
/// convolution, the parts of a split.
struct CountInCode {
  struct Unit {
    std::int64_t group = -1;  ///< -1: an entry that stays
    std::int64_t unit = 0;
  };
  std::string object;  ///< path of the module whose class has the method
  std::string method;
  std::size_t node = 0;       ///< by its place among all nodes of the method (for_each_node)
  std::size_t input = 0;      ///< of the node
  std::int64_t element = -1;  ///< of a list; -1: the input is the number
  std::vector<Unit> counted;  ///< the number is how many of these are there
};

struct Units {
  std::vector<UnitGroup> groups;
  std::vector<Unprunable> rest;
  std::vector<LayerCost> layers;
  std::vector<LayerCost> others;  ///< all other parameters: their uses are 0
  std::vector<CountInCode> counts;
  /// Functions to inline into their callers, so that each of `counts` has a place of its own.
  std::set<std::string> inlined;
  double value_multiplications = 0.0;  ///< of products of two values, of one example
  /// Inputs of forward on which a trial compares models: those given, and others that the module
  /// accepts too.
  std::vector<std::vector<torch::Tensor>> inputs;
};

/// Finds the units by running the module on the inputs, in eval mode, with labels on the entries of
/// its tensors: operators that keep channels apart pass labels on, sums and products of two tensors
/// tie their labels together, layers end and begin them. The inputs of any other operator stay
/// whole. A trial on the inputs then confirms each group.
/// @param module plain or with blends (t as it is); it is not changed
/// @param inputs of forward; one or two examples are enough
/// @throws UsageError where the module does not accept the inputs
ACTSWAP_API Units find_units(const torch::jit::Module& module,
                             const std::vector<torch::Tensor>& inputs);

/// For each group, for each of its units, whether it stays. At least one of each group does.
using KeptUnits = std::vector<std::vector<bool>>;
ACTSWAP_API KeptUnits keep_all(const Units& units);

/// Removes a group: those after it move up, and its units become entries that stay.
void leave_whole(Units& units, std::size_t group, const std::string& reason);

struct Cost {
  double multiplications = 0.0;  ///< of one example
  double parameters = 0.0;       ///< elements of all distinct parameters
};
/// The exact cost of the whole module after such a cut: layers, and products of two units' values.
ACTSWAP_API Cost cost(const Units& units, const KeptUnits& keep);

/// The module without the units: the same tree, names and classes, smaller tensors, and numbers in
/// code changed accordingly. Tensors that lose nothing are shared with `module`.
/// @param module the one in which find_units found the units; tensors may have new values since
/// @param units of find_units
/// @param keep which of them stay
/// @throws UsageError where `keep` does not fit `units`, or a group would lose all of its units
ACTSWAP_API torch::jit::Module cut(const torch::jit::Module& module, const Units& units,
                                   const KeptUnits& keep);

/// Sets the columns that read removed units to 0, in place, so that the module computes the same as
/// the cut one, at full size.
ACTSWAP_API void silence(const torch::jit::Module& module, const Units& units,
                         const KeptUnits& keep);

/// Adds to the bias of a layer the contribution of units that are the same number everywhere:
/// bias += sum over i of values[i] * (columns of the weight at entries[i], summed over the kernel).
/// Exact for a linear layer, and for a convolution that pads nothing.
/// @param module holds the weight
/// @param units of find_units
/// @param input a slice of role `input`
/// @param bias of the layer that reads it, changed in place; undefined: it has none
/// @param entries indices in its dimension, as many as `values`
/// @param values float, of shape entries
/// @return false if the layer has no bias of its own; nothing changes then
ACTSWAP_API bool fold_into_bias(const torch::jit::Module& module, const Units& units,
                                const UnitSlice& input, torch::Tensor bias,
                                const std::vector<std::int64_t>& entries,
                                const torch::Tensor& values);

}  // namespace actswap
