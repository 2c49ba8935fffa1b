// The weights and biases that a joint fit moves, and the AdamW steps that move them.
#pragma once

#include <actswap/calibrate/layers.h>
#include <actswap/optim/stepped_parameter.h>

#include <torch/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace actswap {

/// The weights and biases of all layers, norms and sites of a neighbourhood, each once.
class FittedTensors {
 public:
  explicit FittedTensors(const Neighbourhood& neighbours);

  bool empty() const { return tensors_.empty(); }
  const std::vector<torch::Tensor>& tensors() const { return tensors_; }

  /// The tensors, and AdamW's averages of their gradients, of which there are none before the first
  /// step.
  struct State {
    std::vector<torch::Tensor> tensors;
    std::vector<torch::Tensor> means;
    std::vector<torch::Tensor> squares;
    torch::Tensor steps;

    template <typename Fields>
    void visit_fields(Fields& fields) {
      fields("tensors", tensors);
      fields("means", means);
      fields("squares", squares);
      fields("steps", steps);
    }
  };
  State state() const;
  /// The same in the memory of an earlier state, where it is of the same tensors.
  void store(State& state) const;
  void restore(const State& state);

  /// All that a step depends on, for the same neighbourhood. (Others refer to the tensors
  /// themselves, so restore() only gives them their values.)
  template <typename Fields>
  void visit_fields(Fields& fields) {
    auto now = view();
    fields("state", now);
    restore(now);
    for (std::size_t i = 0; i < stepped_.size(); ++i) {
      fields("stepped/" + std::to_string(i), stepped_[i]);
    }
    fields("loss_scale", loss_scale_);
  }

  /// Scales gradients: 1 except for half.
  LossScale& loss_scale() { return loss_scale_; }

  /// A step of AdamW (Loshchilov and Hutter 2019) without weight decay.
  /// @param gradients undefined if a tensor has no part in the error; divided by loss_scale here
  /// @param rate share of the root mean square of each tensor; 0: only updates AdamW's averages
  void move(const std::vector<torch::Tensor>& gradients, double rate);

  /// The median, over all matrices and kernels, of the root mean square of their elements; 0 if
  /// there are none.
  double middle_size() const;

 private:
  State view() const;  // in the same memory

  std::vector<torch::Tensor> tensors_;
  std::vector<SteppedParameter> stepped_;
  std::vector<torch::Tensor> means_;  // of gradients
  std::vector<torch::Tensor> squares_;
  torch::Tensor steps_;
  LossScale loss_scale_{false};
};

/// While it lives the tensors require gradients.
class RequireGradients {
 public:
  explicit RequireGradients(const std::vector<torch::Tensor>& tensors);
  RequireGradients(const RequireGradients&) = delete;
  RequireGradients& operator=(const RequireGradients&) = delete;
  ~RequireGradients();

 private:
  const std::vector<torch::Tensor>& tensors_;
  std::vector<bool> before_;
};

}  // namespace actswap
