// Ridge regression of a correction to a layer's weights.
#pragma once

#include <actswap/calibrate/layers.h>

#include <torch/types.h>

#include <cstdint>

namespace actswap {

/// The correction (dW, db) of a layer's weight and bias that minimises
///
///   sum over examples and places |dW x + db - r|^2 + ridge |dW|^2
///
/// where x are the values that one output is computed from (of a convolution the patch, zero where
/// it is padded) and r what the output lacks. Groups are solved apart. Every eighth example is held
/// out; of a few strengths of the ridge the one is taken that leaves least lacking there.
class Regression {
 public:
  explicit Regression(const Layer& layer);

  /// @param input of the layer, N x C x ... or N x ... x features
  /// @param lacking of the shape of the layer's output
  /// @param rows about so many of the places where the layer is computed, at random, as many of
  ///   each example
  void add(const torch::Tensor& input, const torch::Tensor& lacking, std::int64_t rows);

  struct Correction {
    torch::Tensor weight;       ///< of the weight's shape
    torch::Tensor offset;       ///< per output channel; zeros where the layer can take none
    double error_before = 0.0;  ///< root mean square of r on what was held out
    double error_after = 0.0;   ///< the same of dW x + db - r
  };
  /// The identity, zeros, where nothing better was found.
  Correction solve() const;

 private:
  // Sums over places, in double: of a group each.
  struct Sums {
    double count = 0.0;
    torch::Tensor x;   // groups x features
    torch::Tensor r;   // groups x outputs
    torch::Tensor xx;  // groups x features x features; below the diagonal not all of it
    torch::Tensor xr;  // groups x features x outputs
    torch::Tensor rr;  // groups
  };
  struct Solution {
    torch::Tensor weight;  // groups x features x outputs; undefined: there is none
    torch::Tensor offset;  // groups x outputs
  };

  Sums zeros() const;
  void add_to(Sums& sums, const torch::Tensor& input, const torch::Tensor& lacking,
              const torch::Tensor& places) const;
  Solution solve(const Sums& centred, double ridge) const;
  double error(const Sums& sums, const Solution& solution) const;

  const Layer& layer_;
  bool has_offset_;
  std::int64_t features_;
  std::int64_t outputs_;
  std::int64_t examples_ = 0;
  std::int64_t batches_ = 0;
  Sums fitted_;
  Sums held_out_;
};

}  // namespace actswap
