// What a joint fit makes small, on batches of inputs.
#pragma once

#include <actswap/calibrate/gradient_memory.h>
#include <actswap/calibrate/layer_errors.h>
#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/program.h>
#include <actswap/data/sample.h>
#include <actswap/ranks/together.h>

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace actswap {

/// Of so many batches, those at the end that a joint fit is judged by: a sixteenth, at least one.
std::size_t batches_held_out(std::size_t batches);

/// The mean of LayerErrors on batches, and the original's values that it is compared with. Batches
/// of fewer than 8 examples say too little of a channel's mean and deviation: of these a step takes
/// several, run one after another and compared as one.
class JointError {
 public:
  using Batches = std::vector<std::vector<torch::Tensor>>;

  /// @param batches of which each rank has its share; those at the end are held out
  ///   (batches_held_out)
  /// @param stream what is fitted to, step after step, in place of the batches not held out; null:
  ///   those, in each pass again
  /// @param tensors that gradients will be taken of
  /// @param memory bytes: three eighths for a gradient of a step, and 64 MB at least; the batch is
  ///   split where gradients of a few examples tell that it takes more. As much for what the
  ///   original gives, which is computed again in each pass where it does not fit, less what a
  ///   gradient of the fewest examples takes beyond its share.
  /// @param together that have shares of the batches
  JointError(Program& program, const Neighbourhood& neighbours, const Batches& batches,
             const InputStream* stream, const std::vector<torch::Tensor>& tensors,
             std::int64_t memory, Together together = {});

  /// Whether there is something to compare, and something to judge by.
  bool is_possible() const;

  std::int64_t steps_of_a_pass() const;
  /// Different inputs that these steps take.
  std::int64_t inputs_of(std::int64_t steps) const;

  /// On the inputs held out.
  double held_out();

  const Together& together() const { return together_; }

  /// Takes the error of a step in parts, one after another: their sum, over the ranks too, is the
  /// error.
  /// @param of_stream false: of the batches, even where there is a stream
  void for_each_part(std::int64_t step, bool of_stream,
                     const std::function<void(const torch::Tensor& error)>& take);

 private:
  using Inputs = std::vector<torch::Tensor>;
  using Values = std::vector<torch::Tensor>;
  struct Part {
    std::vector<Inputs> runs = {};  // one after another; their values are compared together
    double share = 1.0;             // of the step's examples, those of all ranks
    Values original = {};           // empty: not kept
    bool is_kept = true;            // where there is memory: it comes again
  };

  using Runs = std::vector<Inputs>;
  std::vector<Part> split(const Inputs& inputs, std::int64_t most_examples) const;
  std::vector<Part> parts_of(const Runs& batches) const;
  void group(const Batches& batches, std::size_t begin, std::size_t end);
  Fitting examples_within(const Inputs& batch, const std::vector<torch::Tensor>& tensors,
                          std::int64_t memory);
  Fitting batches_within(const Batches& batches, const std::vector<torch::Tensor>& tensors,
                         std::int64_t memory);
  GradientMemory taken_by_gradient(const Runs& runs, const std::vector<torch::Tensor>& tensors);
  Values values(Which model, const Runs& runs);
  Values original(const Runs& runs);
  torch::Tensor error(Part& part);

  Program& program_;
  const InputStream* stream_;
  std::int64_t memory_;
  Together together_;
  LayerErrors errors_;
  std::int64_t most_examples_ = 0;  // of a part; 0: batches stay whole
  std::int64_t batches_of_a_step_ = 1;
  std::vector<std::vector<Part>> steps_;  // those that are fitted to, and then those held out
  std::size_t fitted_ = 0;                // of the steps
};

}  // namespace actswap
