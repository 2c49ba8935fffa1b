// Calibration fits the new functions, and the layers behind them, to the old ones on a few inputs,
// without training. It needs no labels and adds nothing to the model.
//
// It takes blend after blend in the order of the data, with the earlier ones already moved:
//
//  - it shifts and scales the blend's input, channel by channel, so that the target best follows
//    the outputs of the original's source for the same inputs (best_input_change). Both changes go
//    into weight and bias of the layer, norm or affine before the blend (Producers), if that
//    reaches nothing else;
//  - the blend moves to t = 1;
//  - all linear and convolution layers (LayerForm) that blends reach, through any operators, get a
//    correction of weight and bias, by ridge regression on the difference between the original's
//    outputs and theirs (Regression). A layer too wide for that gets a factor and an offset for
//    each channel of its input instead (ChannelFit). A batch norm with no such layer in front
//    (behind a sum, say) gets them for its output;
//  - then it fits all layers and norms together, by gradients of each layer's error, in passes over
//    the same inputs, or over others of the data each time, as long as that helps and the time
//    lasts (JointFit);
//  - finally batch norms get the statistics of their present inputs, with weight and bias moved so
//    that they compute the same: training, which uses the batch's statistics, then begins at this
//    model (re_estimate).
//
// If the outputs for the last batch are then farther from the original's than those of the swap
// alone, the calibration undoes all of it (Safeguard).
#pragma once

#include <actswap/base/export.h>
#include <actswap/checkpoint/state.h>
#include <actswap/ranks/together.h>

#include <torch/script.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

class Dataset;
class Retargeter;
struct CalibrationInputs;
struct KeptEntries;

struct CalibrationOptions {
  std::int64_t inputs = 1024;    ///< examples of the data to calibrate on, > 0
  std::int64_t batch_size = 32;  ///< examples to run at a time, > 0
  /// Bytes that the calibration may take beside the model and the data set, >= 0; they include the
  /// inputs drawn from the data. With less memory, steps use fewer of the inputs, batches run in
  /// smaller parts, and fewer layers are narrow enough for a regression. The calibration always
  /// takes the memory that one part of a batch and the narrowest layers need.
  std::int64_t memory = 2'000'000'000;
  /// A layer whose outputs are computed from more values than this is fitted per channel: the
  /// regression's matrix has as many rows and columns as values, in double.
  std::int64_t max_features = 4608;
  /// Passes over the inputs that fit all layers together, >= 0. Empty: as many as the time has room
  /// for, and without `minutes` at most 20.
  std::optional<std::int64_t> passes = {};
  /// Minutes that the calibration may take, by the clock, >= 0. It solves for the layers however
  /// long that takes, and ends the fit of all layers together when the time is up. Empty: that fit
  /// may take 3 minutes. If `passes` is given, `minutes` has no effect.
  std::optional<double> minutes = {};
  /// Whether each of those passes takes other inputs of the data, as many as before, until all but
  /// those held out had their turn. The calibration then uses more than `inputs` examples. Only for
  /// a calibration on a Dataset.
  bool draws_each_pass = false;
  /// The processes that calibrate together: all call calibrate() with the same module, inputs and
  /// options. Each runs its share of every batch, and they add up their sums over the inputs, so
  /// all end with the same module. By default this process alone.
  Together together = {};

  /// @throws UsageError for a value outside its range.
  void validate() const;
};

struct CalibratedSite {
  std::string blend;          ///< path of the blend module
  std::string producer = {};  ///< the module that took the shift; empty: none could
  std::int64_t channels = 0;  ///< how many channels were shifted, each by its own amount
  double mean_shift = 0.0;    ///< mean of |shift| over the channels
  double largest_shift = 0.0;
  double mean_scale = 1.0;
};

/// How a layer behind blends was changed.
enum class LayerFit {
  regression,   ///< weight and bias, by a regression on all values that an output is computed from
  per_channel,  ///< a factor and an offset for each input channel, in a norm each output channel
};
/// "regression", "per channel"
ACTSWAP_API std::string to_string(LayerFit fit);

struct CalibratedLayer {
  std::string name;
  LayerFit fit = LayerFit::regression;
  double error_before = 0.0;  ///< root mean square of its error, on inputs held out
  double error_after = 0.0;   ///< equals error_before if no correction helped and none was made
};

/// The result of fitting all layers together. The errors are shares of the variance of the layers'
/// outputs, on inputs held out, averaged over the layers (LayerErrors).
struct JointFitResult {
  std::int64_t passes = 0;    ///< passes made over the inputs
  std::int64_t planned = 0;   ///< passes that the time had room for; give them to repeat the fit
  std::int64_t inputs = 0;    ///< how many different inputs the fit used
  double rate = 0.0;          ///< the largest step of a tensor, a share of its root mean square
  double error_before = 0.0;  ///< 0: there was no fit
  double error_after = 0.0;   ///< at most error_before; equal to it if no step helped
  std::string reason = {};    ///< why there was no fit
};

struct Calibration {
  std::int64_t inputs = 0;
  double seconds = 0.0;
  std::vector<CalibratedSite> sites;
  std::vector<CalibratedLayer> layers;
  JointFitResult joint;
  /// The peak of AdamW's rate that suits a training which continues from here; it grows with the
  /// error that remains in the layers. 0: not known, because no joint fit was wanted or possible.
  double learning_rate = 0.0;
  /// The batch norms that blends reach; their running statistics are now the calibrated model's.
  std::vector<std::string> batch_norms;
  std::vector<std::string> left_out;  ///< layers behind blends that were not fitted, and why
};

/// Says in a few words how many sites and layers were fitted, and how.
ACTSWAP_API std::string summary(const Calibration& calibration);

struct CalibrationCallbacks {
  /// Asked before each batch. Ranks agree on it before each blend, layer and step of the joint fit.
  std::function<bool()> should_stop = {};
  /// Called before each blend (in a refit, each layer) and after the last.
  std::function<void(std::size_t done, std::size_t count)> on_site = {};
  /// Called once all layers are solved for, one after another: the module may be run and measured.
  std::function<void()> on_solved = {};
  /// Called before the trials that find a rate for the fit of all layers together.
  /// They take about `seconds`.
  std::function<void(double seconds)> on_trials = {};
  /// Called before the fit of all layers together, which makes at most `passes` passes and takes
  /// about `seconds`.
  std::function<void(std::int64_t passes, double seconds)> on_joint_fit = {};
  /// Called before each of these passes and after the last.
  std::function<void(std::size_t done, std::size_t count)> on_pass = {};
  /// Asked between two steps, and between two passes, whether to call `save`.
  std::function<bool()> saves_now = {};
  /// Gets the calibration's whole state: given as `resume`, it leads to the same tensors, bit for
  /// bit. Also called before Interrupted is thrown. The state refers to live tensors, so copy or
  /// write it before returning.
  std::function<void(const State&)> save = {};
  /// Empty: the calibration begins anew. Otherwise pass module, inputs and options as they were
  /// before the calibration that saved this state.
  State resume = {};
};

/// Moves all blends of the module to t = 1 and fits the module to what it computed at t = 0.
/// @param blended a Retargeter's module, with blends at t = 0
/// @param batches inputs of forward, each N x ...
/// @param options how many passes and how much time and memory; CalibrationOptions has the ranges
/// @param callbacks progress, interruption, saving and resuming
/// @throws UsageError where there is no batch, one is empty, or the model does not accept one.
/// @throws FileError where memory runs out.
/// @throws Interrupted when callbacks.should_stop returned true; the module is then half done.
ACTSWAP_API Calibration calibrate(torch::jit::Module& blended,
                                  const std::vector<std::vector<torch::Tensor>>& batches,
                                  const CalibrationOptions& options,
                                  const CalibrationCallbacks& callbacks = {});

/// Does the same for all blends of a retargeter, on as many inputs of the data as the options say,
/// drawn by the seed. Its blends are at t = 1 afterwards.
/// @throws UsageError where the data is empty.
ACTSWAP_API Calibration calibrate(Retargeter& swap, const Dataset& data,
                                  const CalibrationOptions& options = {}, std::uint64_t seed = 0,
                                  const CalibrationCallbacks& callbacks = {});

/// Fits a module that lost units to the original as far as possible: layers and norms in the order
/// of the program, each to those of the original's outputs that it still has, then all together.
/// Its blends stay at 1. If the outputs were nearer to the original's before, the fit is undone.
/// @param pruned with blends at t = 1; it is fitted in place
/// @param original blended by the same plan, at t = 0
/// @param kept which entries of the original's tensors it has
/// @param inputs to fit on
/// @param options as for calibrate
/// @param callbacks progress and interruption
/// @throws as calibrate
Calibration refit(torch::jit::Module& pruned, const torch::jit::Module& original,
                  const KeptEntries& kept, const CalibrationInputs& inputs,
                  const CalibrationOptions& options, const CalibrationCallbacks& callbacks = {});

}  // namespace actswap
