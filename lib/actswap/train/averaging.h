// The exponential average of a model's weights, which is often better than the last weights.
//
//   average <- d average + (1 - d) weights,  d = min(decay, (1 + n) / (10 + n))
//
// with n the updates before this one; the first takes the weights as they are. The rising d lets a
// short training forget its beginning.
#pragma once

#include <actswap/train/module_tensors.h>

#include <cstdint>
#include <vector>

namespace actswap {

/// Averages all floating-point and complex tensors of a module, the statistics of batch norms too;
/// of others, and of those that change their shape, it keeps the last. Reduced precision is
/// averaged in float32. The module must outlive it.
class Averaging {
 public:
  /// @param decay in (0, 1)
  Averaging(const torch::jit::Module& module, double decay);
  void update();
  bool started() const { return updates_ > 0; }
  /// The average so far, to be written into the module (ModuleTensors::write).
  const std::vector<torch::Tensor>& values() const { return average_; }

  template <typename Fields>
  void visit_fields(Fields& fields) {
    fields("updates", updates_);
    fields("average", average_);
  }

 private:
  ModuleTensors tensors_;
  double decay_;
  std::int64_t updates_ = 0;
  std::vector<torch::Tensor> average_;
};

}  // namespace actswap
