// What a joint fit makes small, on batches of inputs.
#pragma once

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

/// The mean of LayerErrors on batches, and the original's values that it is compared with.
class JointError {
 public:
  using Batches = std::vector<std::vector<torch::Tensor>>;

  /// @param batches of which each rank has its share; those at the end are held out
  ///   (batches_held_out)
  /// @param stream what is fitted to, step after step, in place of the batches not held out; null:
  ///   those, in each pass again
  /// @param tensors that gradients will be taken of
  /// @param memory bytes: three eighths for what the original gives, which is computed again in
  /// each
  ///   pass where it does not fit; as much, and 64 MB at least, for a gradient of a batch, which is
  ///   split where gradients of a few examples tell that it takes more
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
    Inputs inputs;
    double share = 1.0;   // of the batch's examples, those of all ranks
    Values original;      // empty: not kept
    bool is_kept = true;  // where there is memory: it comes again
  };

  std::size_t fitted_batches() const;
  std::vector<Part> split(const Inputs& inputs, std::int64_t most_examples) const;
  std::int64_t examples_within(const std::vector<torch::Tensor>& tensors, std::int64_t memory);
  std::int64_t taken_by_gradient(const std::vector<torch::Tensor>& tensors, std::int64_t examples);
  Values values(Which model, const Inputs& inputs);
  Values original(const Inputs& inputs);
  torch::Tensor error(Part& part);

  Program& program_;
  const InputStream* stream_;
  std::int64_t memory_;
  Together together_;
  LayerErrors errors_;
  std::int64_t most_examples_ = 0;  // of a part; 0: batches stay whole
  std::vector<std::vector<Part>> batches_;
};

}  // namespace actswap
