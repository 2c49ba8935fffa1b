// The end of a calibration: all that was fitted step after step is fitted once more together.
#pragma once

#include <actswap/calibrate/calibration_fields.h>
#include <actswap/calibrate/fitted_tensors.h>
#include <actswap/calibrate/joint_error.h>

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace actswap {

/// How long a joint fit may take.
struct JointFitLimits {
  std::optional<std::int64_t> passes = {};  ///< empty: as many as the time has room for
  std::int64_t most_passes = 0;             ///< where `passes` is empty
  double seconds = 0.0;                     ///< from its beginning, trials included
};

struct JointFitCallbacks {
  std::function<void()> before_each_batch;  ///< may throw
  /// Called before a backward pass and after it, to look after memory. A step is half done then, so
  /// nothing may interrupt it here.
  std::function<void()> around_backward;
  /// Called before the trials of the rate: about how many seconds they take.
  std::function<void(double seconds)> on_trials = {};
  /// Called before the first pass: how many passes there will be, and about how many seconds long.
  std::function<void(std::int64_t passes, double seconds)> on_plan;
  /// Called before each pass and after the last.
  std::function<void(std::int64_t done, std::int64_t passes)> on_pass;
  /// Asked whether to call `save` now.
  std::function<bool()> saves_now = {};
  /// Gets the state, with the tensors, between two steps and before Interrupted. Before the passes
  /// it is empty: a resumed fit then starts over.
  std::function<void(const State&)> save = {};
  State resume = {};
};

/// A step of a calibration leaves the results of earlier steps as they are, and only shifts a layer
/// before an activation. Here AdamW moves weights and biases of all layers and norms together, to
/// make JointError small. Batch norms use their running statistics.
///
/// The rate is a share of the root mean square of each tensor. Trials find it: a few steps each
/// from the same start, at rates a factor of 3 apart. The fit takes the largest rate that leaves
/// the error on held-out inputs about where it was: that is as far as the model is nearly linear.
/// Along the passes the rate falls by half a cosine to 0. After each pass the fit measures the
/// error on held-out inputs and keeps the best weights, which remain in the end. If the error
/// rises, or falls no more, it puts them back and cuts the rate; after a few cuts it ends.
class JointFit {
 public:
  JointFit(FittedTensors& tensors, JointError& error) : tensors_(tensors), error_(error) {}

  JointFitResult run(const JointFitLimits& limits, const JointFitCallbacks& callbacks);

 private:
  using Tensors = FittedTensors::State;
  struct Step {
    double error = 0.0;
    std::vector<torch::Tensor> gradients;
  };

  Step step(std::int64_t number, bool of_stream);
  std::vector<torch::Tensor> gradients_of(const torch::Tensor& error);
  std::int64_t steps_of_a_trial() const;
  bool walk(std::int64_t steps, double rate);
  double error_of_trial(double rate, const Tensors& start);
  double find_rate(double error_before, const Tensors& start);
  /// How far the passes are.
  struct Place {
    JointFitResult result;
    Tensors best;
    std::int64_t number = 0;  ///< of the next step
    double rate = 0.0;
    double largest = 0.0;  ///< largest error of a batch in the last pass
    double largest_now = 0.0;
    int cuts = 0;
    std::int64_t checks_without_gain = 0;

    template <typename Fields>
    void visit_fields(Fields& fields) {
      fields("result", result);
      fields("best", best);
      fields("number", number);
      fields("rate", rate);
      fields("largest", largest);
      fields("largest_now", largest_now);
      fields("cuts", cuts);
      fields("checks_without_gain", checks_without_gain);
    }
  };

  /// Fills `place`, whose `best` is there before anything moves.
  void begin(Place& place, const JointFitLimits& limits, double begin_time);
  void fit(Place& place, double deadline);
  Step step_or_save(const Place& place);
  void save(const Place& place) const;
  void cut(Place& place);

  FittedTensors& tensors_;
  JointError& error_;
  JointFitCallbacks callbacks_;
  std::int64_t trial_steps_ = 0;
  double trial_seconds_ = 0.0;  // of these steps
};

}  // namespace actswap
