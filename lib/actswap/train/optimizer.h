// The optimizers, by LibTorch's kernels that step a list of tensors in one call and each in one
// pass over memory. (torch::optim takes some ten operators for each tensor.)
#pragma once

#include <actswap/optim/stepped_parameter.h>
#include <actswap/train/trainer.h>

#include <torch/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace actswap {

class Optimizer {
 public:
  /// @param parameters distinct ones: a tensor given twice would be stepped twice
  Optimizer(const TrainOptions& options, const std::vector<torch::Tensor>& parameters);

  void zero_grad();
  /// Moves the parameters that have a gradient, which is clipped first, if the options say so.
  /// @param scale what the gradients were taken with
  /// @return false, and nothing has moved, where the scale is used and a gradient is not finite
  bool step(double rate, const LossScale& scale);

  /// Of an optimizer that was made of the same options and parameters.
  template <typename Fields>
  void visit_fields(Fields& fields) {
    std::size_t number = 0;
    for (auto& group : groups_) {
      for (auto& member : group.members) {
        const auto name = std::to_string(number++);
        fields(name, member.parameter);
        fields(name + "/mean", member.mean);
        fields(name + "/square", member.square);
        fields(name + "/steps", member.steps);
      }
    }
  }

 private:
  struct Member {
    SteppedParameter parameter;
    torch::Tensor mean = {};      ///< of the gradient (AdamW), or the momentum (SGD)
    torch::Tensor square = {};    ///< mean of the gradient's square (AdamW)
    torch::Tensor steps = {};     ///< taken so far (AdamW)
    torch::Tensor gradient = {};  ///< of this step; undefined: none
  };
  struct Group {
    std::vector<Member> members = {};
    double weight_decay = 0.0;
    double size = 1.0;  ///< that the rate is multiplied with
  };
  Group& group_of(const torch::Tensor& parameter, double weight_decay);
  bool take_gradients(const LossScale& scale);
  void clip() const;
  void step(Group& group, double rate) const;

  OptimizerKind kind_;
  double momentum_;
  double clip_norm_;
  bool is_rate_relative_;
  std::vector<Group> groups_;
};

}  // namespace actswap
