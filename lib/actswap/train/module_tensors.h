// All tensors that a module is: its parameters, its buffers and its other tensor attributes.
#pragma once

#include <torch/script.h>

#include <cstddef>
#include <utility>
#include <vector>

namespace actswap {

/// Where the tensors of a module are. A forward may put another tensor into an attribute; what is
/// read here is what is there now.
class ModuleTensors {
 public:
  explicit ModuleTensors(const torch::jit::Module& module);

  /// The tensors themselves, each distinct one once, detached; undefined where an attribute holds
  /// none at the moment.
  std::vector<torch::Tensor> now() const;
  std::vector<torch::Tensor> copies() const;
  /// Gives the module these values, as now() or copies() returned them earlier. Tensors stay the
  /// same objects, so that optimizers and tied modules see it.
  void write(const std::vector<torch::Tensor>& values) const;

  /// The numbers, bools and texts in attributes: counters, modes, the t of blends.
  std::vector<c10::IValue> numbers() const;
  void write_numbers(const std::vector<c10::IValue>& values) const;

 private:
  std::vector<std::pair<torch::jit::ObjectPtr, std::size_t>> slots_;
  std::vector<std::pair<torch::jit::ObjectPtr, std::size_t>> number_slots_;
};

}  // namespace actswap
