// What a calibration does to a batch norm, beside what the layer before it makes up for.
#pragma once

#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/replay.h>
#include <actswap/ranks/together.h>

#include <torch/types.h>

#include <functional>
#include <vector>

namespace actswap {

/// Mean and variance of what a batch norm is given, over all that was added.
class BatchStatistics {
 public:
  /// @param input N x C x ..., of which each rank has its share
  void add(const torch::Tensor& input, const Together& together = {});
  double count() const { return count_; }  ///< of values, in each channel
  torch::Tensor mean() const;              ///< per channel, in double, as the next
  torch::Tensor variance() const;  ///< with Bessel's correction, as running statistics have it

 private:
  double count_ = 0.0;
  torch::Tensor sums_;
  torch::Tensor squares_;
};

/// Makes these its running statistics, and moves weight and bias so that it computes what it did:
///
///   weight (x - mean) / sqrt(var + eps) + bias
///
/// is the same line with other numbers. In training a batch norm goes by the statistics of the
/// batch, not by those that it keeps; where the two are the same, training begins at the model that
/// was calibrated.
void re_estimate(const BatchNorm& norm, const BatchStatistics& statistics);

/// For each of the norms, by what it is given in the model as it is now: on so many inputs as there
/// are, or fewer where those tell enough.
/// @param batches of which each rank has its share
/// @param before_each_batch may throw
void re_estimate(const std::vector<BatchNorm>& norms, Program& program,
                 const Replay::Batches& batches, const std::function<void()>& before_each_batch,
                 const Together& together);

/// Its output becomes factor * output + offset, per channel.
void scale_output(const BatchNorm& norm, const torch::Tensor& factor, const torch::Tensor& offset);

}  // namespace actswap
