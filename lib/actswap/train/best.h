// Which of the checks of a training was the best, and whether there is any hope of a better one.
#pragma once

#include <actswap/train/module_tensors.h>

#include <cstdint>
#include <limits>
#include <vector>

namespace actswap {

class Best {
 public:
  /// @param keeps whether the weights of the best are to be kept, which costs a copy of them
  explicit Best(bool keeps) : keeps_(keeps) {}

  /// A check at t = 1. Of equals the later counts: it was trained for longer. @return whether it is
  /// the best so far
  bool offer(double drop, const ModuleTensors& tensors);
  /// Checks since one was better than all before it.
  std::int64_t without_improvement() const { return without_improvement_; }
  /// Weights of the best; empty where none was kept.
  const std::vector<torch::Tensor>& values() const { return values_; }

  template <typename Fields>
  void visit_fields(Fields& fields) {
    fields("drop", drop_);
    fields("without_improvement", without_improvement_);
    fields("values", values_);
  }

 private:
  bool keeps_;
  double drop_ = std::numeric_limits<double>::infinity();
  std::int64_t without_improvement_ = 0;
  std::vector<torch::Tensor> values_ = {};
};

}  // namespace actswap
