// The blend modules that stand in a model's tree while it moves to the new functions.
#pragma once

#include <actswap/activation/activation.h>
#include <actswap/base/export.h>

#include <torch/script.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>

namespace actswap {

/// The operators of a blend's forward.
enum class BlendCode {
  /// The operator actswap::blend if both functions have a kernel, otherwise stock operators: for
  /// training in this process. A saved file needs this library to be loaded.
  fused,
  /// Stock operators alone, for any PyTorch.
  stock,
};

/// How a blend and its target use memory.
struct BlendMemory {
  bool copies = false;    ///< it returns a copy, so that others may write to its output
  bool in_place = false;  ///< the activation wrote over its input, and so may its target
  auto operator<=>(const BlendMemory&) const = default;
};

/// Makes blend modules in one compilation unit: one class for each pair of functions and kind of
/// memory.
class BlendFactory {
 public:
  BlendFactory(std::shared_ptr<torch::jit::CompilationUnit> unit, BlendCode code);
  /// A new blend at t = 0, of the pair's class.
  /// @param source the function at t = 0
  /// @param target the function at t = 1
  /// @param training the mode that the blend is in
  /// @param memory what the blend and its target do with memory
  torch::jit::Module make(const ActivationSpec& source, const ActivationSpec& target, bool training,
                          BlendMemory memory = {});

 private:
  std::shared_ptr<torch::jit::CompilationUnit> unit_;
  BlendCode code_;
  std::map<std::tuple<std::string, std::string, BlendMemory>, c10::ClassTypePtr> classes_;
};

/// Whether the class is a blend's; true after saving and loading too.
bool is_blend(const c10::ClassTypePtr& type);

/// Calls `visit` with every blend module of the tree.
void for_each_blend(const torch::jit::Module& root,
                    const std::function<void(torch::jit::Module&)>& visit);

/// Gives every blend of the tree this code. The module must not have run, and must be compiled anew
/// before it does.
void set_code(const torch::jit::Module& root, BlendCode code);

/// Whether the model has its own method, attribute or submodule named set_blend. Its root then gets
/// no method of that name.
ACTSWAP_API bool has_own_set_blend(const torch::jit::Module& root);

/// The function that a blend moves to.
ActivationSpec blend_target(const torch::jit::Module& blend);

/// Whether the blend stands for an activation that wrote over its input. The blend itself does not,
/// because its gradient needs the input.
bool was_in_place(const torch::jit::Module& blend);

}  // namespace actswap
