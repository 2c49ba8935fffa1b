// The weights and biases that a joint fit moves, and AdamW's steps of them.
#pragma once

#include <actswap/calibrate/layers.h>
#include <actswap/optim/stepped_parameter.h>

#include <torch/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace actswap {

/// Those of all layers, norms and sites of a neighbourhood, each once.
class FittedTensors {
 public:
  explicit FittedTensors(const Neighbourhood& neighbours);

  bool empty() const { return tensors_.empty(); }
  const std::vector<torch::Tensor>& tensors() const { return tensors_; }

  /// The tensors, and what AdamW has gathered of their gradients.
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
  void restore(const State& state);

  /// All that a step depends on, of the same neighbourhood. (The tensors themselves have others
  /// that refer to them: restore() gives them their values.)
  template <typename Fields>
  void visit_fields(Fields& fields) {
    auto now = state();
    fields("state", now);
    restore(now);
    for (std::size_t i = 0; i < stepped_.size(); ++i) {
      fields("stepped/" + std::to_string(i), stepped_[i]);
    }
    fields("loss_scale", loss_scale_);
  }

  /// Of gradients: 1 but for half.
  LossScale& loss_scale() { return loss_scale_; }

  /// A step of AdamW (Loshchilov and Hutter 2019) without weight decay.
  /// @param gradients undefined where a tensor has no part in the error; divided by loss_scale here
  /// @param rate share of the root mean square of each tensor; 0: gradients are gathered only
  void move(const std::vector<torch::Tensor>& gradients, double rate);

  /// Root mean square of the elements of a matrix or kernel, of the middle one of all; 0: there is
  /// none.
  double middle_size() const;

 private:
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
