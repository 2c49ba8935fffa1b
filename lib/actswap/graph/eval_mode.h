// Eval mode for a while.
#pragma once

#include <torch/script.h>

namespace actswap {

/// The module is in eval mode as long as this lives, and as it was before from then on.
class EvalMode {
 public:
  explicit EvalMode(torch::jit::Module& module)
      : module_(module), was_training_(module.hasattr("training") && module.is_training()) {
    module_.eval();
  }
  ~EvalMode() { module_.train(was_training_); }
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;

 private:
  torch::jit::Module& module_;
  bool was_training_;
};

}  // namespace actswap
