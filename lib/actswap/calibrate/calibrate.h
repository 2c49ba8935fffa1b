// The start without training: fit the new functions, and the layers behind them, to the old ones on
// a few inputs. No label is needed, and nothing is added to the model.
//
// Blend after blend, in the order of the data, with the earlier ones already moved:
//
//  - the input of the blend is shifted and scaled, channel by channel, so that the target follows
//    best what the original's source gives for the same inputs (best_input_change). Both go into
//    weight and bias of the layer, norm or affine before the blend (Producers), where that reaches
//    nothing else;
//  - the blend moves to t = 1;
//  - all linear and convolution layers (LayerForm) that blends reach, through whatever, get a
//    correction of weight and bias, by ridge regression of what their outputs lack against the
//    original's (Regression). One that is too wide for that gets a factor and an offset for each
//    channel of its input instead (ChannelFit). A batch norm with no such layer in front (behind a
//    sum, say) gets them for its output;
//  - then all layers and norms are fitted together, by gradients of what each layer lacks, in
//    passes over the same inputs, or over others of the data each time, as long as that helps and
//    the time lasts (JointFit);
//  - in the end batch norms get the statistics of what they are given now, with weight and bias
//    moved so that they compute the same: training, which goes by the batch's statistics, begins
//    there (re_estimate).
//
// Where the outputs for the last batch are farther from the original's after all that than those of
// the swap alone, all of it is taken back (Safeguard).
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
  std::int64_t inputs = 1024;    ///< examples of the data that are looked at, > 0
  std::int64_t batch_size = 32;  ///< > 0; what is run at a time
  /// Bytes that it may take beside the model and the data set that it is given, inputs that are
  /// drawn from that included; >= 0. With less, steps look at fewer of the inputs, batches are run
  /// in smaller parts, and fewer layers are narrow enough for a regression. It takes what one part
  /// of a batch and the narrowest of layers need in any case.
  std::int64_t memory = 2'000'000'000;
  /// A layer whose outputs are computed from more values than this is fitted per channel: the
  /// matrix of the regression has so many rows and columns, in double.
  std::int64_t max_features = 4608;
  /// Over the inputs, in which all layers are fitted together; >= 0. Empty: as many as the time has
  /// room for, and without `minutes` at most 20.
  std::optional<std::int64_t> passes = {};
  /// That the calibration may take, by the clock; >= 0. The layers are solved for however long that
  /// takes; the fit of all layers together ends when the time is up. Empty: that fit may take 3
  /// minutes. Beside `passes` it means nothing.
  std::optional<double> minutes = {};
  /// Each of those passes takes as many other inputs of the data, until all had their turn; but for
  /// those held out: more than `inputs` of the data are looked at then. Of a calibration on a
  /// Dataset.
  bool draws_each_pass = false;
  /// The processes that calibrate together: all call calibrate() with the same module, inputs and
  /// options. Each looks at its share of every batch, and sums over the inputs are added up, so
  /// that all are left with the same module. By default this one alone.
  Together together = {};

  /// @throws UsageError for a value outside its range.
  void validate() const;
};

struct CalibratedSite {
  std::string blend;          ///< path of the blend module
  std::string producer = {};  ///< what took the shift; empty: nothing could
  std::int64_t channels = 0;  ///< that were shifted, each for itself
  double mean_shift = 0.0;    ///< of |shift| over the channels
  double largest_shift = 0.0;
  double mean_scale = 1.0;
};

/// How a layer behind blends was changed.
enum class LayerFit {
  regression,   ///< weight and bias, by a regression on all values that an output is computed from
  per_channel,  ///< a factor and an offset for each channel of its input, a norm's of its output
};
/// "regression", "per channel"
ACTSWAP_API std::string to_string(LayerFit fit);

struct CalibratedLayer {
  std::string name;
  LayerFit fit = LayerFit::regression;
  double error_before = 0.0;  ///< root mean square of what it lacked, on inputs held out
  double error_after = 0.0;   ///< the same where no correction helped there: none was made
};

/// What fitting all layers together did. The errors are shares of the variance of what the layers
/// give, on inputs held out, in the mean over the layers (LayerErrors).
struct JointFitResult {
  std::int64_t passes = 0;    ///< over the inputs, that were carried out
  std::int64_t planned = 0;   ///< that the time had room for: as many as `passes` repeat the fit
  std::int64_t inputs = 0;    ///< different ones that it was fitted on
  double rate = 0.0;          ///< the largest step of a tensor, a share of its root mean square
  double error_before = 0.0;  ///< 0: there was no fit
  double error_after = 0.0;   ///< never more than before; the same: no step helped
  std::string reason = {};    ///< why there was none
};

struct Calibration {
  std::int64_t inputs = 0;
  double seconds = 0.0;
  std::vector<CalibratedSite> sites;
  std::vector<CalibratedLayer> layers;
  JointFitResult joint;
  /// The peak of AdamW's rate that suits a training which goes on from here: it follows how far the
  /// layers still are from the original's. 0: not known, where no joint fit is asked for or
  /// possible.
  double learning_rate = 0.0;
  /// Those that blends reach: their running statistics became those of the calibrated model.
  std::vector<std::string> batch_norms;
  std::vector<std::string> left_out;  ///< layers behind blends that were not fitted, and why
};

/// In a few words: how many sites and layers, and how.
ACTSWAP_API std::string summary(const Calibration& calibration);

struct CalibrationCallbacks {
  /// Asked before each batch. Ranks agree on it before each blend, layer and step of the joint fit.
  std::function<bool()> should_stop = {};
  /// Before each blend (of a refit each layer), and after the last: how many are done, of how many.
  std::function<void(std::size_t done, std::size_t count)> on_site = {};
  /// When all layers are solved for, one after another: the module may be run and measured.
  std::function<void()> on_solved = {};
  /// Before all layers are fitted together: in how many passes at most, which take about so many
  /// seconds.
  std::function<void(std::int64_t passes, double seconds)> on_joint_fit = {};
  /// Before each of these passes, and after the last: how many are done, of how many.
  std::function<void(std::size_t done, std::size_t count)> on_pass = {};
  /// Asked between two steps, and between two passes: whether `save` is to be called.
  std::function<bool()> saves_now = {};
  /// All that the calibration is: `resume` takes it up again, and it goes on to the same tensors,
  /// bit for bit. Called before Interrupted as well. It refers to live tensors; copy or write it
  /// before returning.
  std::function<void(const State&)> save = {};
  /// Empty: it begins. Otherwise module, inputs and options are those of the calibration that saved
  /// it, as they were before it.
  State resume = {};
};

/// Moves all blends of the module to t = 1 and fits the module to what it computed at t = 0.
/// @param blended with blends at t = 0; of a Retargeter
/// @param batches inputs of forward, each N x ...
/// @param options how many passes and how much time and memory; CalibrationOptions has the ranges
/// @param callbacks progress, interruption, saving and resuming
/// @throws UsageError where there is no batch, one is empty, or the model does not accept one.
/// @throws FileError where memory runs out.
/// @throws Interrupted when callbacks.should_stop said so; the module is then half done.
ACTSWAP_API Calibration calibrate(torch::jit::Module& blended,
                                  const std::vector<std::vector<torch::Tensor>>& batches,
                                  const CalibrationOptions& options,
                                  const CalibrationCallbacks& callbacks = {});

/// The same for all blends of a retargeter, on inputs of the data: as many as the options say,
/// drawn by the seed. Its blends are at t = 1 afterwards.
/// @throws UsageError where the data is empty.
ACTSWAP_API Calibration calibrate(Retargeter& swap, const Dataset& data,
                                  const CalibrationOptions& options = {}, std::uint64_t seed = 0,
                                  const CalibrationCallbacks& callbacks = {});

/// Fits a module that units were removed from to the original, as far as it goes: layers and norms
/// in the order of the program, each to those of the original's outputs that it still has, then all
/// together. Its blends stay at 1. Taken back where the outputs were nearer to the original's
/// before.
/// @param pruned with blends at t = 1; it is fitted in place
/// @param original blended by the same plan, at t = 0
/// @param kept what it has of the original's tensors
/// @param inputs to fit on
/// @param options as for calibrate
/// @param callbacks progress and interruption
/// @throws as calibrate
Calibration refit(torch::jit::Module& pruned, const torch::jit::Module& original,
                  const KeptEntries& kept, const CalibrationInputs& inputs,
                  const CalibrationOptions& options, const CalibrationCallbacks& callbacks = {});

}  // namespace actswap
