// Runs both models on batches of inputs, piece by piece from the beginning to the end.
#pragma once

#include <actswap/calibrate/program.h>

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace actswap {

/// Keeps for each batch and model the values that are alive where its run has got to, so that the
/// next request starts there and not at the inputs. Each node runs a few times, however many values
/// callers ask for. A batch that nobody asked for keeps only its inputs.
class Replay {
 public:
  using Batches = std::vector<std::vector<torch::Tensor>>;

  Replay(Program& program, const Batches& batches);

  std::size_t batches() const { return states_[0].size(); }

  /// The tensors at these moments, for one batch.
  /// @param settled nodes before this position will not change any more, and nobody will ask for a
  ///   moment before it, unless the value is alive there
  std::vector<torch::Tensor> run(Which model, std::size_t batch, const std::vector<Moment>& moments,
                                 std::size_t settled);

  std::int64_t kept() const { return kept_; }  ///< bytes
  /// How many bytes a batch would keep at each of these positions, for one model; a run of the
  /// original on it tells. @param positions ascending
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
