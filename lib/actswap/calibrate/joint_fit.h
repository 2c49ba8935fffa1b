// The end of a calibration: all that was fitted step after step is fitted once more together.
#pragma once

#include <actswap/calibrate/calibrate.h>
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
  using State = FittedTensors::State;
  struct Step {
    double error = 0.0;
    std::vector<torch::Tensor> gradients;
  };

  Step step(std::int64_t number, bool of_stream);
  std::vector<torch::Tensor> gradients_of(const torch::Tensor& error);
  std::int64_t steps_of_a_trial() const;
  bool walk(std::int64_t steps, double rate);
  double error_of_trial(double rate, const State& start);
  double find_rate(double error_before, const State& start);
  void fit(JointFitResult& result, State& best, double deadline);

  FittedTensors& tensors_;
  JointError& error_;
  JointFitCallbacks callbacks_;
  std::int64_t trial_steps_ = 0;
  double trial_seconds_ = 0.0;  // of these steps
};

}  // namespace actswap
