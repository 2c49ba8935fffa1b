// Removes units from a retargeted model: finds their costs, chooses those that go, fits the rest.
//
//   Retargeter swap(model, plan(model, {}));
//   calibrate(swap, data);
//   prune(swap, data, {.budget = {.value = 0.5}});
//
// Docs: docs/pruning.md.
#pragma once

#include <actswap/base/export.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/kept_entries.h>
#include <actswap/prune/budget.h>
#include <actswap/prune/units.h>

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace actswap {

class Dataset;
class Retargeter;
struct Model;

struct ACTSWAP_API PruneOptions {
  PruneBudget budget;
  std::vector<std::string> keep = {};  ///< globs over module paths: layers whose units all stay
  /// A group keeps a multiple of this many units; 0: of usual_multiple, or any number of units if
  /// such multiples miss the budget, or take 5 % more than it asks for.
  std::int64_t round = 0;
  CalibrationOptions calibration = {};  ///< for the fit of the remaining units, and the memory
  /// Inputs of forward to measure a latency on, for a budget of that kind.
  std::vector<torch::Tensor> latency_inputs = {};

  /// @throws UsageError for a value outside its range
  void validate() const;
};

struct PrunedGroup {
  std::string name;         ///< of the layers that compute the units
  std::int64_t before = 0;  ///< units
  std::int64_t after = 0;
  std::int64_t dead = 0;      ///< removed units that were 0 for all inputs
  std::int64_t constant = 0;  ///< removed units that were another constant, now in biases
  bool is_exact = false;      ///< chosen by least squares; otherwise by a cheaper score
  std::int64_t exchanges = 0;
  /// The loss of the layers that read the units, as a share of the variance of the outputs wanted,
  /// after least squares; with the cheaper score an estimate.
  double loss = 0.0;
};

struct Pruning {
  PruneBudget budget;
  std::vector<std::string> keep = {};  ///< as in the options, like `round`
  std::int64_t round = 0;
  std::vector<PrunedGroup> groups;  ///< those whose units could go
  std::vector<Unprunable> stayed;   ///< layers and tensors whose units stay, and why
  Cost before;
  Cost after;
  Calibration refit;     ///< the fit of the remaining units
  KeptEntries kept;      ///< which entries of the original's tensors the module has
  double seconds = 0.0;  ///< without the refit
};

/// What can be removed from a model whose activations stay as they are. Fused layers that a
/// Retargeter takes apart (nn.TransformerEncoderLayer) count as their parts.
/// @param model it is not changed
/// @param inputs of forward; one or two examples are enough
/// @throws as find_units
ACTSWAP_API Units prunable_units(const Model& model, const std::vector<torch::Tensor>& inputs);

/// The result in a few words.
ACTSWAP_API std::string summary(const Pruning& pruning);

struct PruneCallbacks {
  std::function<void(const std::string&)> on_message = {};
  /// Called before each layer that reads units, and after the last.
  std::function<void(std::size_t done, std::size_t count)> on_layer = {};
  CalibrationCallbacks refit = {};  ///< should_stop is asked all along
};

/// Removes units from a retargeted model whose blends are at t = 1 and fits the rest to the
/// original. Least squares tell how much the layers that read a unit lose without it (Elimination),
/// one queue over all groups decides which go (choose_counts), and refit solves the layers anew.
/// @param swap calibrated, or of a plan that swaps nothing; afterwards its module is smaller
/// @param data inputs to judge the units by and to fit on; needs no target
/// @param options the budget, the units to keep, and the calibration's options
/// @param seed for drawing the inputs
/// @param callbacks progress and interruption
/// @throws UsageError for options outside their range, a glob that matches no layer, a model with
///   nothing to prune, and a budget that no choice meets; its message says what can be met
/// @throws as calibrate
ACTSWAP_API Pruning prune(Retargeter& swap, const Dataset& data, const PruneOptions& options,
                          std::uint64_t seed = 0, const PruneCallbacks& callbacks = {});

/// For each group whether a glob of `keep` matches a layer that computes or reads its units.
/// @throws UsageError for a glob that matches no layer of the units
ACTSWAP_API std::vector<bool> protected_groups(const Units& units,
                                               const std::vector<std::string>& keep);

}  // namespace actswap
