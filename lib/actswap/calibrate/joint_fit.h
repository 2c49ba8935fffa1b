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
  /// Before the first pass: how many there will be, and how many seconds they will take about.
  std::function<void(std::int64_t passes, double seconds)> on_plan;
  /// Before each pass and after the last: how many are done.
  std::function<void(std::int64_t done, std::int64_t passes)> on_pass;
  /// Whether `save` is to be called now.
  std::function<bool()> saves_now = {};
  /// How far it is, between two steps and before Interrupted; empty before the passes: it then
  /// begins again from where it began. The tensors are part of it.
  std::function<void(const State&)> save = {};
  State resume = {};
};

/// A step of a calibration takes what the ones before it gave as it is, and a layer before an
/// activation is only shifted. Here weights and biases of all layers and norms move together, by
/// AdamW, to make JointError small. Batch norms go by their running statistics.
///
/// The rate is a share of the root mean square of each tensor. It is found by trials: a few steps
/// each from the same start, at rates a factor of 3 apart. The largest one that leaves the inputs
/// held out about where they were is taken: such a step is as far as the model is straight. Along
/// the passes it falls by half a cosine to 0. After each pass the inputs held out are looked at:
/// the best weights are kept, and are what remains. Where the error rises, or falls no more, they
/// are put back and the rate is cut; after a few cuts the fit ends.
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
  /// Where the passes are.
  struct Place {
    JointFitResult result;
    Tensors best;
    std::int64_t number = 0;  ///< of the next step
    double rate = 0.0;
    double largest = 0.0;  ///< error of a batch, in the pass before
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

  Place begin(const JointFitLimits& limits, double begin_time);
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
