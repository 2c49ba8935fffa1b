// What layers lack against the original, as one number that a gradient can be taken of.
#pragma once

#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/program.h>
#include <actswap/ranks/together.h>

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace actswap {

/// The mean over the layers of
///
///   sum |y - y0|^2 / sum |y0 - mean(y0)|^2
///
/// with y what the layer gives where Layer::compared says, y0 the original's, and the mean that of
/// each channel. Where an activation reads y, its channels may be shifted and scaled, and both are
/// compared with mean 0 and deviation 1 in each channel and batch; there, too, a channel counts by
/// its share of the variance.
///
/// Where units were removed, the mean is weighted: a layer that has lost some of its outputs counts
/// less, since what is left of them may become what serves the model best; a layer that no other
/// follows counts more.
class LayerErrors {
 public:
  LayerErrors(const Program& program, const Neighbourhood& neighbours);

  /// Of the values that are compared, one for each layer.
  const std::vector<Moment>& moments() const { return moments_; }

  /// 0 where there is no layer.
  /// @param originals without a gradient
  /// @param together that have shares of a batch: variances and means are those of all of it, the
  ///   squares those of this process's examples. So the mean over the ranks, weighted by examples,
  ///   is the error of the batch. To be called by all ranks.
  torch::Tensor mean(const std::vector<torch::Tensor>& values,
                     const std::vector<torch::Tensor>& originals,
                     const Together& together = {}) const;

 private:
  struct Compared {
    std::int64_t channel_dim = 1;
    bool is_standardised = false;
    torch::Tensor kept;  // of the original's channels; undefined: all
    double weight = 1.0;
  };
  void weigh(const std::vector<Layer>& layers);

  std::vector<Compared> compared_;
  std::vector<Moment> moments_;
};

}  // namespace actswap
