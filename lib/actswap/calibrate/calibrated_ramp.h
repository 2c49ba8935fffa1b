// A ramp that begins at the original and ends at what a calibration made of it.
//
// A calibration fits the parameters to t = 1; at t = 0 they would be wrong. So the ramp undoes the
// calibration's changes and adds them again while t rises:
//
//   p(t) = p(0) + t (p_calibrated - p_original) + training's changes so far
//
// On the way the two errors cancel to first order. With weights W, W' and outputs s, g of the old
// and the new function, W s = W' g, a layer behind a site gives
//   ((1-t) W + t W') ((1-t) s + t g) = W s - t (1-t) (W' - W) (g - s)
//
// Buffers move in the same way, except those that training writes to: the running statistics of a
// batch norm in train mode follow the blends as they move.
#pragma once

#include <actswap/base/export.h>

#include <torch/script.h>

#include <cstddef>
#include <string>
#include <vector>

namespace actswap {

class ACTSWAP_API CalibratedRamp {
 public:
  /// Remembers the parameters and buffers of the module, which calibrate() is about to change.
  explicit CalibratedRamp(const torch::jit::Module& module);
  /// After calibrate(): puts them back as they were; t is 0.
  void rewind();
  /// Adds what the calibration changed for the way from the last t to this one.
  void move(double t);

  /// Restores only into a ramp that was rewound after the same calibration, with tensors that hold
  /// the values they had when the fields were written.
  template <typename Fields>
  void visit_fields(Fields& fields) {
    fields("t", t_);
    for (auto& changed : changed_) {
      const auto name = std::to_string(changed.number);
      fields(name + "/followed", changed.is_followed);
      fields(name + "/left", changed.left);
      fields(name + "/added", changed.added);
    }
  }

 private:
  struct Changed {
    std::size_t number;  // in tensors_
    torch::Tensor tensor;
    torch::Tensor change;  // in float32 or more
    bool is_buffer;
    bool is_followed;      // otherwise training writes to this buffer, and nobody else does
    torch::Tensor before;  // of a buffer
    torch::Tensor left;    // of a buffer: as it was after the last move
    // The sum of moves of a parameter of less than float32, which would lose small ones.
    torch::Tensor added;
  };
  static void move(Changed& changed, double from, double to);

  std::vector<torch::Tensor> tensors_;  // parameters first
  std::size_t parameters_ = 0;
  std::vector<torch::Tensor> before_;
  std::vector<Changed> changed_;  // by the calibration
  double t_ = 0.0;
};

}  // namespace actswap
