// Units that fade out during the training, instead of going at once.
//
// The module keeps its size until the training ends. At t = 1 it computes the same as the pruned
// one: kept entries are the pruned module's, and the columns that read a removed unit are 0. Until
// then these columns are 1 - t times their first values:
//
//   CalibratedRamp ramp(swap.module());           // remembers the original's tensors
//   calibrate(swap, data);
//   const auto full = swap.module();
//   const auto pruning = prune(swap, data, options);
//   FadingUnits fading(full, swap, pruning.kept, inputs);
//   swap.replace(full);
//   ramp.rewind();                                // t = 0
//   fading.begin();
//   // before each step: swap.set_blend(t); ramp.move(t); fading.move(t)
//   swap.replace(fading.cut());
#pragma once

#include <actswap/base/export.h>
#include <actswap/calibrate/kept_entries.h>
#include <actswap/prune/units.h>

#include <torch/script.h>

#include <cstdint>
#include <vector>

namespace actswap {

class Retargeter;

class ACTSWAP_API FadingUnits {
 public:
  /// Gives `full` the tensors of the pruned module. It still computes removed units as the original
  /// does, but the columns that read them become 0.
  /// @param full the module that units were removed from
  /// @param swap holds the original and the module without the units
  /// @param kept Pruning::kept
  /// @param inputs of forward: a batch
  /// @throws UsageError if `full` does not accept the inputs; FileError if it does not have the
  ///   units in `kept`
  FadingUnits(const torch::jit::Module& full, const Retargeter& swap, const KeptEntries& kept,
              const std::vector<torch::Tensor>& inputs);

  /// Begins at t = 0: the present values of the columns fade.
  void begin();
  /// @param t in [0, 1]
  void move(double t) const;
  /// The full module without the units; `full` stays as it is.
  torch::jit::Module cut() const;

 private:
  struct Columns {
    torch::Tensor tensor;
    std::int64_t dim = 0;
    torch::Tensor indices;
    torch::Tensor at_start;  // in float32 or more
  };

  torch::jit::Module full_;
  Units units_;
  KeptUnits keep_;
  std::vector<Columns> columns_;
};

}  // namespace actswap
