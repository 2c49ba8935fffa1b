// Several processes that do one job together. Each has a rank, all have the same model and the same
// data, and each takes its share. `torchrun` starts them, c10d moves the tensors.
#pragma once

#include <actswap/base/export.h>

#include <torch/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace c10d {
class ProcessGroup;
}

namespace actswap {

/// Averages gradients over all ranks, in buckets that it sends while backward still runs.
class MeanGradients {
 public:
  virtual ~MeanGradients() = default;
  /// Runs the backward pass of this rank's loss and leaves the means as gradients. A parameter that
  /// no rank's loss depends on gets none.
  /// @param loss of this rank's share
  /// @param keeps_graph for another backward pass of the same loss
  /// @throws FileError if another rank fails or does not answer, or if the loss has no gradient
  virtual void backward(const torch::Tensor& loss, bool keeps_graph) = 0;
};

/// The operations of several processes together. All ranks call the same functions in the same
/// order, with tensors of the same shapes and types. @throws FileError if another rank fails or
/// does not answer
class ACTSWAP_API Ranks {
 public:
  virtual ~Ranks() = default;
  virtual int rank() const = 0;  ///< in [0, size())
  virtual int size() const = 0;  ///< >= 2

  /// Replaces each tensor by its sum over all ranks: the same bits on all of them.
  virtual void add_up(std::vector<torch::Tensor> tensors) const = 0;
  /// Replaces each tensor by that of rank 0.
  virtual void take_from_first(std::vector<torch::Tensor> tensors) const = 0;
  /// The texts of all ranks, by rank.
  virtual std::vector<std::string> texts(const std::string& own) const = 0;
  /// @param parameters distinct ones that require a gradient; no backward pass runs meanwhile
  virtual std::unique_ptr<MeanGradients> mean_gradients(
      const std::vector<torch::Tensor>& parameters) const = 0;
};

/// Ranks over an existing process group of c10d.
ACTSWAP_API std::shared_ptr<Ranks> make_ranks(const c10::intrusive_ptr<c10d::ProcessGroup>& group);

/// The ranks that torchrun (or whatever sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT)
/// started: connects this process with the others, over Gloo. Opens all sockets that it will need.
/// @param timeout after which a rank that does not answer is an error; > 0
/// @return null if the environment names no other process
/// @throws UsageError if a variable is missing or makes no sense, or actswap was built without
///   Gloo's headers; FileError if it cannot reach the others
ACTSWAP_API std::shared_ptr<Ranks> ranks_of_environment(
    std::chrono::milliseconds timeout = std::chrono::minutes(10));

/// Refuses to start if ranks are about to do different things. All ranks must call it.
/// @param ranks the processes
/// @param facts what must be the same, a line for each: "name: value"
/// @throws UsageError on every rank, with the first line that differs and the ranks it differs on
ACTSWAP_API void expect_same_on_all(const Ranks& ranks, const std::string& facts);

}  // namespace actswap
