// Eval mode for a while.
#pragma once

#include <torch/script.h>

#include <utility>
#include <vector>

namespace actswap {

/// The module is in eval mode as long as this lives; then each submodule is as it was before (a
/// backbone may be held in eval mode while the rest trains).
class EvalMode {
 public:
  explicit EvalMode(torch::jit::Module& module) {
    for (const auto& each : module.modules()) {
      if (each.hasattr("training")) {  // a frozen module has no mode
        modes_.emplace_back(each, each.is_training());
      }
    }
    module.eval();
  }
  ~EvalMode() {
    for (auto& [module, training] : modes_) {
      module.setattr("training", training);
    }
  }
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;

 private:
  std::vector<std::pair<torch::jit::Module, bool>> modes_;
};

}  // namespace actswap
