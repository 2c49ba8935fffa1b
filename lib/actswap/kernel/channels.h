// Calibrated targets: a g(x + d) + b with a, d, b of each channel, laid out for the kernels.
#pragma once

#include <actswap/base/export.h>

#include <cstdint>
#include <vector>

namespace actswap {

/// What a, d and b are, one entry for each channel.
struct ChannelCalibration {
  std::vector<double> a;
  std::vector<double> d;
  std::vector<double> b;
};

/// Element i of the memory belongs to channel (i / inner) mod count, where count is the number of
/// channels: inner is height times width where a channel's plane is contiguous, 1 where channels
/// are the fastest dimension.
class ACTSWAP_API Channels {
 public:
  /// @param t the blend's t, at which all is laid out
  Channels(ChannelCalibration calibration, std::int64_t inner, double t);

  std::int64_t count() const { return static_cast<std::int64_t>(calibration_.a.size()); }
  std::int64_t channel(std::int64_t element) const { return element / inner_ % count(); }
  const ChannelCalibration& calibration() const { return calibration_; }
  double t() const { return t_; }

  /// Long planes are taken one by one; short ones are written out, so that vectors may cross them.
  /// An entry stands for run() elements, and entries are repeated every entries() of them.
  std::int64_t run() const { return run_; }
  std::int64_t entries() const { return static_cast<std::int64_t>(shift_.size()) - kPadding; }
  const float* shift() const { return shift_.data(); }    ///< d
  const float* factor() const { return factor_.data(); }  ///< t a
  const float* offset() const { return offset_.data(); }  ///< t b

  /// How far beyond entries() the kernels read, and write their sums: a vector.
  static constexpr std::int64_t kPadding = 64;

 private:
  ChannelCalibration calibration_;
  std::int64_t inner_;
  std::int64_t run_;
  double t_;
  std::vector<float> shift_;
  std::vector<float> factor_;
  std::vector<float> offset_;
};

/// Gradients of a, d and b, one entry for each channel; sums over all elements of
/// g t target(x + d), g t a target'(x + d) and g t, where g is the gradient of the output.
struct ChannelGradients {
  std::vector<double> a;
  std::vector<double> d;
  std::vector<double> b;

  explicit ChannelGradients(std::int64_t count)
      : a(static_cast<std::size_t>(count)), d(a.size()), b(a.size()) {}
};

}  // namespace actswap
