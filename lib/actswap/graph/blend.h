// The blend modules that stand in a model's tree while it is moved.
#pragma once

#include <actswap/activation/activation.h>

#include <torch/script.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace actswap {

/// Makes blend modules in one compilation unit: one class for each pair of functions.
class BlendFactory {
 public:
  explicit BlendFactory(std::shared_ptr<torch::jit::CompilationUnit> unit);
  /// A new blend at t = 0, of the pair's class.
  torch::jit::Module make(const ActivationSpec& source, const ActivationSpec& target);

 private:
  std::shared_ptr<torch::jit::CompilationUnit> unit_;
  std::map<std::pair<std::string, std::string>, c10::ClassTypePtr> classes_;
};

/// Whether the class is a blend's; true after saving and loading too.
bool is_blend(const c10::ClassTypePtr& type);

/// Calls `visit` with every blend module of the tree.
void for_each_blend(const torch::jit::Module& root,
                    const std::function<void(torch::jit::Module&)>& visit);

/// The function that a blend moves to.
ActivationSpec blend_target(const torch::jit::Module& blend);

}  // namespace actswap
