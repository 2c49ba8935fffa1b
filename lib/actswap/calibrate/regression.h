// Ridge regression of a correction to a layer's weights.
#pragma once

#include <actswap/calibrate/layer_rows.h>
#include <actswap/calibrate/layers.h>
#include <actswap/ranks/together.h>

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace actswap {

/// The correction (dW, db) of a layer's weight and bias that minimises
///
///   sum over rows |dW x + db - r|^2 + ridge |dW|^2
///
/// where x are the values from which one output is computed (for a convolution the patch, zero in
/// the padding) and r is LayerRows::lacking. It solves each group by itself. It tries a few
/// strengths of the ridge and takes the one with the least error on the rows held out.
class Regression {
 public:
  /// @param together the ranks that have rows; all of them solve and get the same result
  explicit Regression(const Layer& layer, Together together = {});

  void add(LayerRows rows);

  struct Correction {
    torch::Tensor weight;       ///< of the weight's shape
    torch::Tensor offset;       ///< per output channel; zeros where the layer can take none
    double error_before = 0.0;  ///< root mean square of r on what was held out
    double error_after = 0.0;   ///< the same of dW x + db - r
  };
  /// Returns zeros if no correction helps. To be called once, at the end.
  Correction solve();

  /// How many features a layer may have for its regression to fit into this many bytes.
  static std::int64_t widest(std::int64_t memory);

 private:
  struct Solution {
    torch::Tensor weight;  // groups x features x outputs, in double
    torch::Tensor offset;  // groups x outputs
    double error = 0.0;    // on what was held out
  };

  void centre();
  Solution nothing() const;
  Solution solve(double ridge);
  double error(const Solution& solution) const;

  const Layer& layer_;
  Together together_;
  bool has_offset_;
  // Sums over the rows that are not held out, in double, for each group.
  double count_ = 0.0;
  torch::Tensor x_;   // groups x features
  torch::Tensor r_;   // groups x outputs
  torch::Tensor xx_;  // groups x features x features; incomplete below the diagonal
  torch::Tensor xr_;  // groups x features x outputs
  std::vector<LayerRows> held_out_;
};

}  // namespace actswap
