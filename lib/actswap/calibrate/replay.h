// Both models on batches of inputs, gone through from the beginning to the end.
#pragma once

#include <actswap/calibrate/program.h>

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace actswap {

/// Keeps of each batch, for each model, the values that are alive where its run has got to, so that
/// what is asked for next begins there and not at the inputs: all in all every node runs a few
/// times, however many values are looked at.
class Replay {
 public:
  using Batches = std::vector<std::vector<torch::Tensor>>;

  /// @param memory bytes that may be kept. Beyond that a batch stays where it is, and what is asked
  ///   for is computed from there each time.
  Replay(Program& program, const Batches& batches, std::int64_t memory);

  std::size_t batches() const { return states_[0].size(); }

  /// The tensors at these moments, for one batch.
  /// @param settled what stands before this position will not change any more, and no moment before
  ///   it will be asked for, unless the value is alive there
  std::vector<torch::Tensor> run(Which model, std::size_t batch, const std::vector<Moment>& moments,
                                 std::size_t settled);

  std::int64_t kept() const { return kept_; }  ///< bytes

 private:
  struct State {
    std::size_t position = 0;
    std::vector<c10::IValue> alive;
    std::int64_t bytes = 0;  // beside the inputs
  };

  Program& program_;
  std::int64_t memory_;
  std::int64_t kept_ = 0;
  std::vector<State> states_[2];
};

}  // namespace actswap
