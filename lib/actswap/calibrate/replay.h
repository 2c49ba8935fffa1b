// Both models on batches of inputs, gone through from the beginning to the end.
#pragma once

#include <actswap/calibrate/program.h>

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace actswap {

/// Keeps of each batch, for each model, the values that are alive where its run has got to, so that
/// what is asked for next begins there and not at the inputs. Each node runs a few times, however
/// many values are looked at. A batch that was never asked for keeps its inputs alone.
class Replay {
 public:
  using Batches = std::vector<std::vector<torch::Tensor>>;

  Replay(Program& program, const Batches& batches);

  std::size_t batches() const { return states_[0].size(); }

  /// The tensors at these moments, for one batch.
  /// @param settled what stands before this position will not change any more, and no moment before
  ///   it will be asked for, unless the value is alive there
  std::vector<torch::Tensor> run(Which model, std::size_t batch, const std::vector<Moment>& moments,
                                 std::size_t settled);

  std::int64_t kept() const { return kept_; }  ///< bytes
  /// What would be kept of a batch at each of these positions, for one model: found by a run of the
  /// original on it. @param positions ascending
  std::vector<std::int64_t> bytes_at(std::size_t batch, const std::vector<std::size_t>& positions);
  /// All batches are at their inputs again.
  void forget();

 private:
  struct State {
    std::size_t position = 0;
    std::vector<c10::IValue> alive;
    std::int64_t bytes = 0;  // beside the inputs
  };

  State state_of(std::size_t batch) const;
  const std::vector<Moment>& cut(std::size_t position);
  State advanced(Which model, const State& state, std::size_t settled);

  Program& program_;
  const Batches& batches_;
  std::int64_t kept_ = 0;
  std::vector<State> states_[2];
  std::map<std::size_t, std::vector<Moment>> cuts_;
};

}  // namespace actswap
