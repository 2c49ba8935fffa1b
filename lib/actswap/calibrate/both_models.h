// What both models compute on the inputs of a calibration, step after step.
#pragma once

#include <actswap/calibrate/program.h>
#include <actswap/calibrate/replay.h>
#include <actswap/ranks/together.h>

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace actswap {

class BothModels {
 public:
  using Batches = Replay::Batches;

  /// Up to these positions the models are what they will be, and no value will be asked for any
  /// more.
  struct Settled {
    std::size_t fitted = 0;
    std::size_t original = 0;
  };

  /// @param batches at least one, each N x ..., of which each rank has its share
  /// @param memory bytes; where this process has taken more than three eighths of it since now,
  ///   it gives freed memory back before each run
  /// @param should_stop asked before each run; may be empty
  /// @param together that have shares of the batches
  BothModels(Program& program, const Batches& batches, std::int64_t memory,
             std::function<bool()> should_stop, Together together = {});

  /// What the steps settle, in their order. A step looks at as many batches, from the first on, as
  /// can be kept in the middle of both models there and at all later steps; at one at least. So a
  /// batch joins once and stays, and each of its nodes runs a few times, whatever the memory.
  /// @param memory bytes for what is kept
  void plan(const std::vector<Settled>& steps, std::int64_t memory);
  /// From here on it is asked for what this step needs. The first is 0.
  void begin_step(std::size_t step) { step_ = step; }
  /// No step follows: what was kept goes.
  void end_steps();

  const Batches& inputs() const { return batches_; }
  const Together& together() const { return together_; }
  std::size_t batches() const;  ///< of this step
  /// Examples of a batch that all ranks have, and that this process has.
  std::int64_t size(std::size_t batch) const { return sizes_[batch]; }
  std::int64_t own_size(std::size_t batch) const { return batches_[batch].front().size(0); }
  /// The number of the first of these.
  std::int64_t first(std::size_t batch) const { return together_.share().begin(size(batch)); }

  /// Of the model that is being fitted. @throws Interrupted
  std::vector<torch::Tensor> now(std::size_t batch, const std::vector<Moment>& moments);
  /// Of the original. @throws Interrupted
  std::vector<torch::Tensor> before(std::size_t batch, const std::vector<Moment>& moments);

  /// A value as its reader gets it.
  Moment read_by(const torch::jit::Node* reader, const torch::jit::Value* value) const;
  /// A value as it is made.
  Moment made(const torch::jit::Value* value) const;

  /// How many batches have so many rows, and more examples than a few.
  std::size_t batches_for(std::int64_t rows, std::int64_t rows_of_batch) const;

  /// @throws Interrupted
  void check_interruption() const;
  /// Before something else runs: what was freed goes back to the system where the process has taken
  /// more than these bytes. @throws Interrupted
  void begin_run_within(std::int64_t bytes) const;

 private:
  void begin_run() const;

  struct Step {
    Settled settled;
    std::size_t batches = 1;
  };

  Program& program_;
  const Batches& batches_;
  Together together_;
  std::vector<std::int64_t> sizes_;
  Replay replay_;
  std::int64_t memory_;
  std::function<bool()> should_stop_;
  std::vector<Step> steps_;
  std::size_t step_ = 0;
  std::int64_t resident_before_ = 0;  // bytes of the process
};

/// Values of a channel that tell enough of it, from so many examples at least.
inline constexpr std::int64_t kChannelSamples = 4096;
inline constexpr std::int64_t kChannelExamples = 256;

}  // namespace actswap
