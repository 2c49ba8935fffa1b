// Where examples come from. A user's own data set implements two functions:
//
//   struct Squares : actswap::Dataset {
//     std::int64_t size() const override { return 1000; }
//     actswap::Example get(std::span<const std::int64_t> indices) const override { ... }
//   };
#pragma once

#include <actswap/base/export.h>

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <vector>

namespace actswap {

/// A batch: the model's inputs in the order of its arguments, each N x ..., and the right answers.
struct Example {
  std::vector<torch::Tensor> inputs = {};
  std::vector<torch::Tensor> targets = {};  ///< empty where the data has none
  /// The first target, that of metrics and of most losses; undefined where there is none.
  torch::Tensor target() const { return targets.empty() ? torch::Tensor() : targets.front(); }
};

class ACTSWAP_API Dataset {
 public:
  virtual ~Dataset() = default;
  /// Number of examples.
  virtual std::int64_t size() const = 0;
  /// The examples with these indices (each in [0, size())), stacked along dimension 0.
  virtual Example get(std::span<const std::int64_t> indices) const = 0;
  /// How many examples the model takes at a time, if it takes no other number (FixedBatches); 0:
  /// any. Whoever makes batches gives them that size.
  virtual std::int64_t fixed_batch() const { return 0; }
};

/// Tensors in memory; all have the same size along dimension 0.
class ACTSWAP_API TensorDataset : public Dataset {
 public:
  /// @param inputs one or more, each N x ...
  /// @param target may be undefined: none
  /// @param more_targets for a loss that takes several
  /// @throws UsageError if there is no input or the sizes along dimension 0 differ.
  TensorDataset(std::vector<torch::Tensor> inputs, torch::Tensor target,
                std::vector<torch::Tensor> more_targets = {});
  std::int64_t size() const override;
  Example get(std::span<const std::int64_t> indices) const override;

  const std::vector<torch::Tensor>& inputs() const { return inputs_; }
  const std::vector<torch::Tensor>& targets() const { return targets_; }
  /// The first one; undefined where there is none.
  torch::Tensor target() const { return targets_.empty() ? torch::Tensor() : targets_.front(); }

 private:
  std::vector<torch::Tensor> inputs_ = {};
  std::vector<torch::Tensor> targets_ = {};
};

/// The order of the examples in one epoch: a permutation of [0, size) that depends on `seed` and
/// `epoch` alone (not on the machine, the library's version of a generator, or earlier calls).
ACTSWAP_API std::vector<std::int64_t> shuffled_indices(std::int64_t size, std::uint64_t seed,
                                                       std::int64_t epoch);

}  // namespace actswap
