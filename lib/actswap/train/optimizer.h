// The optimizers, by LibTorch's kernels that step a list of tensors in one call and each in one
// pass over memory. (torch::optim takes some ten operators for each tensor.)
#pragma once

#include <actswap/train/trainer.h>

#include <torch/types.h>

#include <vector>

namespace actswap {

class Optimizer {
 public:
  /// @param parameters distinct ones: a tensor given twice would be stepped twice
  Optimizer(const TrainOptions& options, const std::vector<torch::Tensor>& parameters);

  void zero_grad();
  /// Moves the parameters that have a gradient.
  void step(double rate);

 private:
  struct Member {
    torch::Tensor parameter;
    torch::Tensor mean;    ///< of the gradient (AdamW), or the momentum (SGD)
    torch::Tensor square;  ///< mean of the gradient's square (AdamW)
    torch::Tensor steps;   ///< taken so far (AdamW)
  };
  struct Group {
    std::vector<Member> members;
    double weight_decay = 0.0;
  };
  void step(const Group& group, double rate) const;

  OptimizerKind kind_;
  double momentum_;
  std::vector<Group> groups_;
};

}  // namespace actswap
