// How a calibration changes a batch norm, apart from corrections in the layer before it.
#pragma once

#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/replay.h>
#include <actswap/ranks/together.h>

#include <torch/types.h>

#include <functional>
#include <vector>

namespace actswap {

/// Mean and variance of a batch norm's input, over all values added.
class BatchStatistics {
 public:
  /// @param input N x C x ...; each rank passes its share
  void add(const torch::Tensor& input, const Together& together = {});
  double count() const { return count_; }  ///< of values, in each channel
  torch::Tensor mean() const;              ///< per channel, in double, as the next
  torch::Tensor variance() const;  ///< with Bessel's correction, as running statistics have it

 private:
  double count_ = 0.0;
  torch::Tensor sums_;
  torch::Tensor squares_;
};

/// Makes these the norm's running statistics, and moves weight and bias so that its output stays:
///
///   weight (x - mean) / sqrt(var + eps) + bias
///
/// is the same line with other numbers. In training a batch norm uses the statistics of the batch,
/// not those that it keeps; if the two are equal, training begins at the calibrated model.
void re_estimate(const BatchNorm& norm, const BatchStatistics& statistics);

/// Does this for each of the norms, by its input in the model as it is now, on all inputs there
/// are, or on fewer if those tell enough.
/// @param batches each rank passes its share of them
/// @param before_each_batch may throw
void re_estimate(const std::vector<BatchNorm>& norms, Program& program,
                 const Replay::Batches& batches, const std::function<void()>& before_each_batch,
                 const Together& together);

/// Its output becomes factor * output + offset, per channel.
void scale_output(const BatchNorm& norm, const torch::Tensor& factor, const torch::Tensor& offset);

}  // namespace actswap
