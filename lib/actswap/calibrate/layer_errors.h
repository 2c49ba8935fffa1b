// How far layers are from the original's, as one differentiable number.
#pragma once

#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/program.h>
#include <actswap/ranks/together.h>

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace actswap {

/// The mean over the layers, and over the activations that the model returns, of
///
///   sum |y - y0|^2 / sum |y0 - mean(y0)|^2
///
/// with y the layer's value at Layer::compared or the activation's output, y0 the original's, and
/// the mean of each channel. If an activation that is not returned reads y, its channels may be
/// shifted and scaled, so both are compared with mean 0 and deviation 1 in each channel and batch;
/// there, too, a channel counts by its share of the variance.
///
/// If units were removed, the mean is weighted: a layer that lost some of its outputs counts less,
/// because the rest may become whatever serves the model best; a layer that no other follows, and
/// what is returned, counts more.
class LayerErrors {
 public:
  LayerErrors(const Program& program, const Neighbourhood& neighbours);

  /// Where the compared values stand: those of the layers, and then those that are returned.
  const std::vector<Moment>& moments() const { return moments_; }

  /// 0 if there is nothing to compare.
  /// @param originals without a gradient
  /// @param together the ranks that share a batch; all must call this. Variances and means are
  ///   those of the whole batch, the squares those of this process's examples. So the mean over the
  ///   ranks, weighted by examples, is the error of the batch.
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
