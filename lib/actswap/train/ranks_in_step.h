// What the ranks of a training do together. Of one process alone, nothing.
#pragma once

#include <actswap/base/share.h>
#include <actswap/ranks/together.h>
#include <actswap/train/module_tensors.h>
#include <actswap/train/trainer.h>

#include <torch/script.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace actswap {

class RanksInStep {
 public:
  RanksInStep(const torch::jit::Module& module, const TrainOptions& options,
              const std::vector<torch::Tensor>& parameters);

  /// Of each batch.
  Share share() const { return together_.share(); }
  /// Before the first step. @throws UsageError where ranks are about to train something else
  void begin(const ModuleTensors& tensors, const Dataset& data) const;
  /// Random numbers of this rank and step, so that nothing of earlier steps need be kept.
  void begin_step(std::int64_t step) const;
  /// What the loss of this rank's share counts for, so that the mean over ranks is the loss of the
  /// batch.
  /// @param own examples of the batch's
  double weight(std::int64_t own, std::int64_t batch_size) const;
  /// The loss of the whole batch, where each rank gives its weighted one. Also agrees on whether to
  /// stop.
  double mean_loss(double weighted, bool wants_to_stop);
  /// Whether a rank wanted to, when the loss was last agreed on.
  bool is_to_stop() const { return is_to_stop_; }
  /// Gives the parameters the gradients of the whole batch's loss.
  /// @throws UsageError where the loss has none; FileError where another rank fails
  void backward(const torch::Tensor& weighted_loss, bool keeps_graph) const;
  /// The statistics of batch norms, of which each rank has seen its share.
  void average_statistics() const;
  /// What rank 0 found.
  Check of_first(const Check& check) const;
  bool of_first(bool found) const { return together_.of_first(found ? 1.0 : 0.0) > 0.0; }

  bool is_alone() const { return together_.is_alone(); }
  const Together& together() const { return together_; }

 private:
  const TrainOptions& options_;
  Together together_;
  std::unique_ptr<MeanGradients> gradients_;
  std::vector<torch::Tensor> statistics_;
  bool is_to_stop_ = false;
};

}  // namespace actswap
