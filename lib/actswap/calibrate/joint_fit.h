// The end of a calibration: all that was fitted step after step is fitted once more together.
#pragma once

#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/layer_errors.h>
#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/program.h>
#include <actswap/data/sample.h>
#include <actswap/optim/stepped_parameter.h>

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace actswap {

/// Of so many batches, those at the end that it is judged by: a sixteenth, at least one.
std::size_t batches_held_out(std::size_t batches);

/// A step of a calibration takes what the ones before it gave as it is, and a layer before an
/// activation is only shifted. Here weights and biases of all layers and norms move together, by
/// AdamW (Loshchilov and Hutter 2019), to make the mean of LayerErrors small. Batch norms go by
/// their running statistics. The step of a tensor is a share of its root mean square, which falls
/// along half a cosine to 0.
class JointFit {
 public:
  using Batches = std::vector<std::vector<torch::Tensor>>;

  /// @param batches those at the end are held out (batches_held_out). With fewer than two there is
  ///   nothing to do.
  /// @param stream what is fitted to, step after step, in place of the batches not held out; null:
  ///   those, in each pass again
  /// @param memory bytes that may be kept of what the original gives; the rest is computed again in
  ///   each pass
  JointFit(Program& program, const Neighbourhood& neighbours, const Batches& batches,
           const InputStream* stream, std::int64_t memory);

  /// Whether there is something to fit, and to compare it by.
  bool is_possible() const;

  /// Operations that a pass over the inputs takes in the layers: multiplications and additions.
  double operations_of_a_pass();

  /// The mean of LayerErrors on the inputs held out.
  double error_held_out();

  /// The peak of AdamW's rate that suits a training which goes on from here: a share, which follows
  /// the error, of the root mean square of a weight's elements, of the middle one of all weights. 0
  /// where there is none.
  double learning_rate(double error) const;

  /// Moves the tensors, unless that leaves the inputs held out farther away.
  /// @param before_each_batch may throw
  /// @param on_pass before each pass and after the last: how many are done
  JointFitResult run(std::int64_t passes, const std::function<void()>& before_each_batch,
                     const std::function<void(std::int64_t done)>& on_pass);

 private:
  std::size_t fitted_batches() const;
  std::vector<torch::Tensor> values(Which model, const std::vector<torch::Tensor>& inputs);
  std::vector<torch::Tensor> originals(const std::vector<torch::Tensor>& inputs);
  std::vector<torch::Tensor> kept_originals(std::size_t batch);
  torch::Tensor error(std::size_t batch);
  torch::Tensor error_of_step(std::int64_t step);
  std::int64_t inputs_of(std::int64_t steps) const;
  void restore(const std::vector<torch::Tensor>& before);
  std::vector<torch::Tensor> gradients_of(const torch::Tensor& loss);
  void move(const std::vector<torch::Tensor>& gradients, double rate);

  Program& program_;
  const Batches& batches_;
  const InputStream* stream_;
  std::int64_t memory_;
  std::vector<std::vector<torch::Tensor>> kept_;  // of each batch, the original's; empty: not kept
  LayerErrors errors_;
  std::vector<torch::Tensor> tensors_;  // to be moved
  std::vector<SteppedParameter> stepped_;
  std::vector<torch::Tensor> means_;  // of gradients
  std::vector<torch::Tensor> squares_;
  torch::Tensor steps_;
  LossScale scale_{false};
};

}  // namespace actswap
