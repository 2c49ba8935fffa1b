// The blend modules that stand in a model's tree while it is moved.
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

/// What a blend's forward is made of.
enum class BlendCode {
  /// The operator actswap::blend, where both functions have a kernel, and stock operators where
  /// not: for training in this process. What is saved needs this library to be loaded.
  fused,
  /// Stock operators alone, for any PyTorch.
  stock,
};

/// What a blend and its target do with memory.
struct BlendMemory {
  bool copies = false;    ///< what it computes, so that others may write to what it gives back
  bool in_place = false;  ///< the activation wrote over its input, and its target may
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

/// Gives every blend of the tree this code. The module must not have run, and is to be compiled
/// anew before it does.
void set_code(const torch::jit::Module& root, BlendCode code);

/// Whether the model has something of its own that is named set_blend, a method, an attribute or a
/// submodule. Its root then gets no method of that name.
ACTSWAP_API bool has_own_set_blend(const torch::jit::Module& root);

/// The function that a blend moves to.
ActivationSpec blend_target(const torch::jit::Module& blend);

/// Whether the blend stands for an activation that wrote over its input. The blend does not: its
/// gradient needs that.
bool was_in_place(const torch::jit::Module& blend);

}  // namespace actswap
