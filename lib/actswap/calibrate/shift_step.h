// A step of the shifts before an activation, for all channels at once.
#pragma once

#include <actswap/calibrate/layer_rows.h>
#include <actswap/calibrate/layers.h>
#include <actswap/ranks/together.h>

#include <torch/types.h>

namespace actswap {

/// best_input_change treats each channel by itself. But what matters is the output that a layer
/// behind the activation f computes from all of them, W f(z + d) + b, when W and b are solved for
/// anew. So this is a Gauss-Newton step of d that ignores the part which W and b can make up for
/// (variable projection, Golub and Pereyra 1973, with the approximation of Kaufman 1975). With X
/// the rows of f(z), S those of f'(z), E LayerRows::lacking, P the projection off the columns of X,
///
///   H = fold((S^T P S) * (W^T W)),   g = fold(sum over outputs of (S^T E) * W^T),   d = H^-1 g
///
/// where fold sums over the places of the kernel, so that channels are left.
class ShiftStep {
 public:
  /// @param layer of one group
  explicit ShiftStep(const Layer& layer);

  /// @param slope f'(z), of the shape of rows.x
  void add(const LayerRows& rows, const torch::Tensor& slope);

  /// The rows of all ranks count.
  void add_up(const Together& together);

  /// What to add to z, per channel.
  torch::Tensor solve() const;

 private:
  const Layer& layer_;
  double count_ = 0.0;
  // Sums over rows, in double.
  torch::Tensor x_;
  torch::Tensor s_;
  torch::Tensor e_;
  torch::Tensor xx_;  // of one group, as the next square
  torch::Tensor xs_;
  torch::Tensor ss_;
  torch::Tensor se_;
};

}  // namespace actswap
