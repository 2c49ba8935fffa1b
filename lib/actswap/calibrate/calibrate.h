// The start without training: fit the new functions, and the layers behind them, to the old ones on
// a few inputs. No gradient, no label, and nothing is added to the model.
//
// Blend after blend, in the order of the data, with the earlier ones already moved:
//
//  - the input of the blend is shifted and scaled, channel by channel, so that the target follows
//    best what the original's source gives for the same inputs (best_input_change). Both go into
//    weight and bias of the layer or norm before the blend, where that reaches nothing else;
//  - the blend moves to t = 1;
//  - the linear and convolution layers behind it get a correction of weight and bias, by ridge
//    regression of what their outputs lack against the original's (Regression).
#pragma once

#include <actswap/base/export.h>

#include <torch/script.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace actswap {

struct CalibrationOptions {
  std::int64_t inputs = 1024;    ///< examples of the data that are looked at, > 0
  std::int64_t batch_size = 32;  ///< > 0; what is run at a time
  /// Bytes for values in the middle of both models, from which the next step goes on; >= 0. With
  /// less, more is computed again.
  std::int64_t memory = std::int64_t{1} << 30;
  /// A layer whose outputs are computed from more values than this is left as it is: the matrix of
  /// the regression has so many rows and columns, in double.
  std::int64_t max_features = 4608;

  /// @throws UsageError for a value outside its range.
  void validate() const;
};

struct CalibratedSite {
  std::string blend;          ///< path of the blend module
  std::string producer = {};  ///< what took the shift; empty: nothing could
  double mean_shift = 0.0;    ///< of |shift| over the channels
  double mean_scale = 1.0;
};

struct CalibratedLayer {
  std::string name;
  double error_before = 0.0;  ///< root mean square of what it lacked, on inputs held out
  double error_after = 0.0;   ///< the same where no correction helped there: none was made
};

struct Calibration {
  std::int64_t inputs = 0;
  double seconds = 0.0;
  std::vector<CalibratedSite> sites;
  std::vector<CalibratedLayer> layers;
  std::vector<std::string> left_out;  ///< layers behind blends that were not fitted, and why
};

struct CalibrationCallbacks {
  std::function<bool()> should_stop = {};  ///< asked before each batch
  /// Before each blend: how many are done, of how many.
  std::function<void(std::size_t done, std::size_t count)> on_site = {};
};

/// Moves all blends of the module to t = 1 and fits the module to what it computed at t = 0.
/// @param blended with blends at t = 0; of a Retargeter
/// @param batches inputs of forward, each N x ...
/// @throws UsageError where there is no batch or the model does not accept one.
/// @throws Interrupted when callbacks.should_stop said so; the module is then half done.
ACTSWAP_API Calibration calibrate(torch::jit::Module& blended,
                                  const std::vector<std::vector<torch::Tensor>>& batches,
                                  const CalibrationOptions& options,
                                  const CalibrationCallbacks& callbacks = {});

}  // namespace actswap
