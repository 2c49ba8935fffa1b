// Gives the values that both models compute on the inputs of a calibration, step after step.
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

  /// Up to these positions the models change no more, and nobody asks for a value any more.
  struct Settled {
    std::size_t fitted = 0;
    std::size_t original = 0;
  };

  /// @param batches at least one, each N x ...; each rank passes its share
  /// @param memory bytes; once this process has taken more than three eighths of it from now on,
  ///   it gives freed memory back before each run
  /// @param should_stop asked before each run; may be empty
  /// @param together the ranks that share the batches
  BothModels(Program& program, const Batches& batches, std::int64_t memory,
             std::function<bool()> should_stop, Together together = {});

  /// Decides how many batches each step uses: as many, from the first on, as memory can hold
  /// partway through both models at this and all later steps, and at least one. So a batch joins
  /// once and stays, and each node runs on it only a few times, whatever the memory.
  /// @param steps what each step settles, in their order
  /// @param memory bytes for the kept values
  void plan(const std::vector<Settled>& steps, std::int64_t memory);
  /// From now on callers ask for the values that this step needs. The first step is 0.
  void begin_step(std::size_t step) { step_ = step; }
  /// No step follows: frees the kept values.
  void end_steps();

  const Batches& inputs() const { return batches_; }
  const Together& together() const { return together_; }
  std::size_t batches() const;  ///< of this step
  /// How many examples of a batch all ranks have together, and how many this process has.
  std::int64_t size(std::size_t batch) const { return sizes_[batch]; }
  std::int64_t own_size(std::size_t batch) const { return batches_[batch].front().size(0); }
  /// The number of the first of these.
  std::int64_t first(std::size_t batch) const { return together_.share().begin(size(batch)); }

  /// Values of the model that is being fitted. @throws Interrupted
  std::vector<torch::Tensor> now(std::size_t batch, const std::vector<Moment>& moments);
  /// Values of the original. @throws Interrupted
  std::vector<torch::Tensor> before(std::size_t batch, const std::vector<Moment>& moments);

  /// A value as its reader gets it.
  Moment read_by(const torch::jit::Node* reader, const torch::jit::Value* value) const;
  /// A value as it is made.
  Moment made(const torch::jit::Value* value) const;

  /// How many batches give this many rows, from more than a few examples.
  std::size_t batches_for(std::int64_t rows, std::int64_t rows_of_batch) const;

  /// @throws Interrupted
  void check_interruption() const;
  /// To be called before other code runs the models: gives freed memory back to the system if the
  /// process has taken more than this many bytes.
  void give_back_beyond(std::int64_t bytes) const;

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

/// This many values describe a channel well enough if they come from at least this many examples.
inline constexpr std::int64_t kChannelSamples = 4096;
inline constexpr std::int64_t kChannelExamples = 256;

}  // namespace actswap
