// The sums of an evaluation, batch after batch.
#pragma once

#include <actswap/measure/accuracy.h>

#include <torch/types.h>

#include <vector>

namespace actswap {

/// Outputs against targets.
class Score {
 public:
  /// @throws UsageError where there is no target or the shapes do not fit
  void add(const torch::Tensor& output, const torch::Tensor& target);
  /// Batches that come after these.
  void append(const Score& later);
  Evaluation result() const;

  template <typename Fields>
  void visit_fields(Fields& fields) {
    fields("loss", loss_);
    fields("weight", weight_);
    fields("counts", counts_);
    fields("hits", hits_);
    fields("has_prediction", has_prediction_);
    fields("values", values_);
    fields("losses", losses_);
    fields("cosines", cosines_);
  }

 private:
  void add_loss(const torch::Tensor& mean, std::int64_t count);

  double loss_ = 0.0;
  std::int64_t weight_ = 0;
  torch::Tensor counts_;  // targets of each class
  torch::Tensor hits_;    // of these, predicted rightly
  bool has_prediction_ = false;
  std::vector<torch::Tensor> values_;
  std::vector<torch::Tensor> losses_;
  std::vector<torch::Tensor> cosines_;
};

/// The cosine between two tensors of N examples, all numbers of an example as one vector: float64
/// of shape N.
torch::Tensor cosine_of_each(const torch::Tensor& a, const torch::Tensor& b);

/// The output with its classes along dimension 1: moved there where only the last dimension fits
/// the target.
torch::Tensor classes_second(const torch::Tensor& output, const torch::Tensor& target);

}  // namespace actswap
