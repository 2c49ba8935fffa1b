// A ramp that begins at the original and ends at what a calibration made of it.
//
// A calibration fits the parameters to t = 1; at t = 0 they would be wrong. So what it changed is
// taken back and moved in again while t rises:
//
//   p(t) = p(0) + t (p_calibrated - p_original) + what training did so far
//
// On the way the two errors cancel to first order. With weights W, W' and outputs s, g of the old
// and the new function, W s = W' g, a layer behind a site gives
//   ((1-t) W + t W') ((1-t) s + t g) = W s - t (1-t) (W' - W) (g - s)
#pragma once

#include <actswap/base/export.h>

#include <torch/script.h>

#include <vector>

namespace actswap {

class ACTSWAP_API CalibratedRamp {
 public:
  /// Remembers the parameters and buffers of the module, which calibrate() is about to change.
  explicit CalibratedRamp(const torch::jit::Module& module);
  /// After calibrate(): they are as they were, and t is 0.
  void rewind();
  /// Adds what the calibration changed for the way from the last t to this one.
  void move(double t);

 private:
  std::vector<torch::Tensor> tensors_;
  std::vector<torch::Tensor> before_;
  std::vector<torch::Tensor> change_;  ///< of those that the calibration changed
  double t_ = 0.0;
};

}  // namespace actswap
