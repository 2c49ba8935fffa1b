// Running a model up to values in the middle of it.
#pragma once

#include <torch/csrc/jit/ir/ir.h>
#include <torch/script.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace actswap {

/// The flat forward of a blended module (see flatten), and of what it was before: the same code
/// with a module of its own, whose blends stand at 0 and whose tensors stay as they are.
class Program {
 public:
  explicit Program(const torch::jit::Module& blended);

  torch::jit::Graph& graph() { return *graph_; }
  const torch::jit::Module& module() const { return module_; }

  /// What the values (of the outermost block of the graph) are for the inputs.
  std::vector<torch::Tensor> run(const std::vector<const torch::jit::Value*>& values,
                                 const std::vector<torch::Tensor>& inputs) const;
  /// The same in the model as it was.
  std::vector<torch::Tensor> run_original(const std::vector<const torch::jit::Value*>& values,
                                          const std::vector<torch::Tensor>& inputs) const;

 private:
  torch::jit::Module module_;
  torch::jit::Module original_;
  std::shared_ptr<torch::jit::Graph> graph_;
  std::shared_ptr<torch::jit::Graph> original_graph_;  // with constants of its own
};

}  // namespace actswap
