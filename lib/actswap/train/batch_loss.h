// The loss of a batch: runs the original, where the loss compares with it, and the model.
#pragma once

#include <actswap/calibrate/layer_comparison.h>
#include <actswap/data/dataset.h>
#include <actswap/graph/kept_state.h>
#include <actswap/ranks/together.h>
#include <actswap/train/signals.h>
#include <actswap/train/trainer.h>

#include <torch/script.h>

#include <optional>

namespace actswap {

class BatchLoss {
 public:
  /// @param teacher the original; may be empty where the loss does not compare with it, and is not
  ///   looked at then
  /// @throws UsageError where the teacher is missing, shares parameters with the model, or, with
  ///   Signal::layers, has other blends
  BatchLoss(torch::jit::Module& module, std::optional<torch::jit::Module> teacher,
            const TrainOptions& options);

  /// With a gradient, where gradients are on.
  /// @param examples of a forward pass (Dataset::fixed_batch): the models run on so many after
  ///   another, and what they give is compared as one; 0: all at once
  /// @param together that have shares of the batch: the mean over the ranks, weighted by examples,
  ///   is the loss of the batch (but for Signal::module, which sees its own share)
  torch::Tensor operator()(const Example& batch, std::int64_t examples = 0,
                           const Together& together = {});
  /// The mean over a data set, in eval mode, and without a trace in the model.
  double mean(const Dataset& data);
  /// The same where the model gives 0 wherever it gives a finite number, outside and inside.
  double mean_of_zeros(const Dataset& data);

 private:
  enum class Answer { models, zeros };
  struct Given {
    LayerComparison::Values values;
    std::vector<torch::Tensor> sites;
  };
  Given run_once(Which which, const std::vector<torch::Tensor>& inputs);
  Given run(Which which, const std::vector<torch::Tensor>& inputs, std::int64_t examples);
  LossInputs run(const Example& batch, Answer answer, std::int64_t examples,
                 const Together& together = {});
  double mean(const Dataset& data, Answer answer);

  torch::jit::Module& module_;
  std::optional<torch::jit::Module> teacher_;
  std::optional<KeptState> teachers_state_;
  std::optional<LayerComparison> layers_;
  LossFunction loss_;
  std::int64_t batch_size_;
  bool takes_gradients_;  // in its forward
};

}  // namespace actswap
