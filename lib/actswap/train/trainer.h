// The fine-tuning loop: a blended module, data, a loss, an optimizer, and t moving every step.
#pragma once

#include <actswap/base/error.h>
#include <actswap/base/export.h>
#include <actswap/calibrate/kept_entries.h>
#include <actswap/checkpoint/state.h>
#include <actswap/data/augmentation.h>
#include <actswap/data/dataset.h>
#include <actswap/ranks/ranks.h>
#include <actswap/schedule/schedule.h>
#include <actswap/train/loss.h>
#include <actswap/train/output_form.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace actswap {

enum class OptimizerKind { sgd, adamw };
enum class Keep { last, best };

/// A training that exploded: a loss or parameters that are no longer finite, or a model at the end
/// that is far worse than the swap without training (DivergenceCheck).
class ACTSWAP_API Diverged : public Error {
 public:
  explicit Diverged(const std::string& message) : Error(ErrorKind::accuracy, message) {}
};

/// "sgd", "adamw". @throws UsageError
ACTSWAP_API OptimizerKind parse_optimizer(std::string_view name);
ACTSWAP_API std::string to_string(OptimizerKind kind);
ACTSWAP_API std::string to_string(Keep keep);  ///< "last", "best"

struct ACTSWAP_API TrainOptions {
  double epochs = 1.0;           ///< in (0, 1e9], fractions allowed
  std::int64_t batch_size = 64;  ///< > 0
  Loss loss = Signal::distil;
  /// What the original gives, output by output (find_output_forms): for outputs, and for
  /// cross-entropy on probabilities.
  std::vector<OutputForm> outputs = {};
  double temperature = 1.0;    ///< of distil and outputs; > 0
  std::int64_t class_dim = 1;  ///< of distil and cross-entropy: the dimension of the classes in the
                               ///< outputs; not 0, negative: from the end
  OptimizerKind optimizer = OptimizerKind::adamw;
  double learning_rate = 3e-4;  ///< > 0, the peak
  /// The rate of each parameter is `learning_rate` times the root mean square of its elements as
  /// the training begins (1e-3 at least). With AdamW a step then moves a share of the parameter,
  /// whatever the width and the scale of its layer.
  bool is_rate_relative = false;
  double momentum = 0.9;      ///< of sgd, in [0, 1)
  double weight_decay = 0.0;  ///< >= 0; decoupled for adamw; not on biases and scales (tensors of
                              ///< one dimension or none)
  double clip_norm = 0.0;     ///< largest gradient norm; 0: no clipping
  double warmup = 0.05;       ///< share of all steps with linearly rising rate, in [0, 1)
  double average = 0.95;      ///< decay of the exponential average of weights and statistics, in
                              ///< [0, 1); 0: none. Only steps at t = 1 count, and the module is
                              ///< left with the average (with its last weights where no step is)
  /// Batch norms go by their running statistics, which stay as they are: after a calibration, which
  /// was made with them. Otherwise by each batch's, which the running ones follow.
  bool keeps_statistics = false;
  KeptEntries kept = {};   ///< what the module has of the original's tensors, for Signal::layers
  std::uint64_t seed = 0;  ///< of shuffling, of dropout and of the augmentation
  Augmentation augmentation = {};  ///< of the training images
  /// Where a loss, a gradient or the parameters stop being finite, or the loss explodes, the
  /// training goes back to its last good state (one of 20 along the way) and on from there at half
  /// the rate; so many times; >= 0.
  std::int64_t retries = 0;
  /// The processes that train together: all call train() with the same model, data and options.
  /// Each takes its share of every batch, gradients are averaged, and each is left with the same
  /// module. Null: this one alone. The same number of ranks gives the same parameters, bit for bit.
  std::shared_ptr<Ranks> ranks = {};

  // What follows needs TrainCallbacks::check.
  /// Epochs from one check to the next, fractions allowed; >= 0; 0: a twentieth of the training
  /// where something below asks for checks, otherwise none.
  double check_every = 0.0;
  Keep keep = Keep::last;     ///< best: the module is left as it was at the best check at t = 1
  std::int64_t patience = 0;  ///< checks at t = 1 in a row without a better one, after which the
                              ///< training ends early; >= 0; 0: it does not
  /// A closed loop (ClosedLoop): the ramp waits, or goes back, where a check says that the model is
  /// worse than the original by more than this; >= 0. At the latest it ends so that t stays 1 for
  /// the schedule's hold, or half of the training where that is 0.
  std::optional<double> bound = {};

  bool asks_for_checks() const {
    return check_every > 0.0 || keep == Keep::best || patience > 0 || bound.has_value();
  }
  /// Of a training on so many examples: full batches, or one where they do not fill any.
  std::int64_t batches_per_epoch(std::int64_t examples) const;
  /// ceil(epochs * batches), at least 1
  std::int64_t steps(std::int64_t examples) const;
  /// @throws UsageError naming the option, its range and the value found.
  void validate() const;
};

struct Progress {
  std::int64_t step = 0;  ///< steps done
  std::int64_t total_steps = 0;
  double epoch = 0.0;  ///< epochs done, with fraction
  double t = 0.0;      ///< that this step was taken with; of several sites the mean
  double loss = 0.0;   ///< of this step
  double learning_rate = 0.0;
  double seconds = 0.0;  ///< since training began
};

/// How good a model is at the moment.
struct Check {
  double value = 0.0;  ///< of the metric
  double drop = 0.0;   ///< how much worse that is than the original's; below 0: better
};

struct CheckRecord {
  std::int64_t step = 0;  ///< steps done
  double t = 0.0;         ///< of the model that was checked
  double value = 0.0;
  double drop = 0.0;
  bool best = false;      ///< of those at t = 1 so far
  std::string ramp = {};  ///< of a closed loop: what it does from here on (RampState)
};

struct EpochRecord {
  std::int64_t epoch = 0;  ///< from 1
  std::int64_t step = 0;
  double t = 0.0;  ///< at the end of the epoch: what the next step is taken with (of a closed loop:
                   ///< what the last was taken with)
  double mean_loss = 0.0;
  double learning_rate = 0.0;
  double seconds = 0.0;
  double waited = 0.0;  ///< seconds in which the loop waited for data, of this epoch
  std::vector<CheckRecord> checks = {};
};

/// A training that exploded and goes on from its last good state, at half the rate.
struct Retry {
  std::int64_t step = 0;       ///< that it failed at
  std::int64_t back_to = 0;    ///< steps done in the good state
  double learning_rate = 0.0;  ///< the peak from here on
  std::string reason = {};
};

/// Where in a training its state may be saved.
enum class SavePoint {
  step,     ///< before a step
  epoch,    ///< at the end of an epoch
  stopped,  ///< before it ends with Interrupted
};

struct TrainCallbacks {
  std::function<void(const Progress&)> on_step;
  std::function<void(const EpochRecord&)> on_epoch;
  std::function<bool()> should_stop;  ///< asked before each step; true ends with Interrupted
  std::function<void(const Retry&)> on_retry;
  std::function<void(const CheckRecord&)> on_check;
  /// Whether `save` is to be called now.
  std::function<bool(SavePoint)> saves_at;
  /// All that the training is: `resume` takes it up again, and the training goes on to the same
  /// parameters, bit for bit. It refers to live tensors; copy or write it before returning.
  std::function<void(const State&)> save;
  /// Empty: it begins. Otherwise module, teacher, data, schedules and options are those of the
  /// training that saved it, as they were before its first step.
  State resume = {};
  /// What the caller's set_blend keeps beside the module (CalibratedRamp): saved and restored along
  /// with the rest, on a retry too.
  std::function<State()> state_of_blends;
  std::function<void(const State&)> restore_blends;
  /// Measures the module as it is. At t = 1 that is with the average of the weights, if there is to
  /// be one.
  std::function<Check()> check;
};

/// Learning rate: linear warm-up to the peak, then half a cosine down to 0.
///   step < w: peak (step + 1) / w;  otherwise peak (1 + cos(pi (step - w) / (total - w))) / 2
/// with w = floor(warmup total)
ACTSWAP_API double learning_rate_at(std::int64_t step, std::int64_t total_steps,
                                    const TrainOptions& options);

/// Trains `module` in place, in train mode, and leaves it in eval mode (after an exception too).
/// Takes TrainOptions::steps(examples) steps. Where the data fills more than one batch, each
/// epoch leaves out the examples that do not fill a last one; batch norm needs two examples or more
/// in a batch. A parameter that is tied into several modules is stepped once. Same seed, same
/// number of threads: same parameters, bit for bit (torch::manual_seed is called).
/// @param module with blends that set_blend moves
/// @param teacher the original; needed by the losses that compare with it, run in eval mode without
///   gradients; may be empty otherwise; must not share parameters with `module`
/// @param data inputs, and the targets that the loss asks for
/// @param schedule t by progress
/// @param set_blend called before every step with t, and once more with 1 after the last (a no-op
///   for the control)
/// @param options TrainOptions has the ranges
/// @param callbacks progress, checks, saving and resuming
/// @return one record an epoch (the last may be a fraction)
/// Parameters of float16 and bfloat16 are stepped in float32 copies; float16 with a scaled loss.
/// @throws UsageError for no examples, for data that does not fit the loss, for a schedule that
///   needs longer than the training, and for a parameter that cannot be stepped; Diverged, with the
///   step; FileError where memory runs out; Interrupted
ACTSWAP_API std::vector<EpochRecord> train(torch::jit::Module& module,
                                           std::optional<torch::jit::Module> teacher,
                                           const Dataset& data, const Schedule& schedule,
                                           const std::function<void(double)>& set_blend,
                                           const TrainOptions& options,
                                           const TrainCallbacks& callbacks = {});

/// The same with several ramps, of sites that move one after another, say (one_after_another).
/// @param module as above
/// @param teacher as above
/// @param data as above
/// @param schedules one or more
/// @param set_blends called with a t for each of them
/// @param options as above
/// @param callbacks as above
ACTSWAP_API std::vector<EpochRecord> train(
    torch::jit::Module& module, std::optional<torch::jit::Module> teacher, const Dataset& data,
    const std::vector<Schedule>& schedules,
    const std::function<void(const std::vector<double>&)>& set_blends, const TrainOptions& options,
    const TrainCallbacks& callbacks = {});

}  // namespace actswap
