// A module with its blends in place, and its end.
//
// Each planned site becomes a child module ("actswap_blend_<n>" of the module whose code applies
// it) with a float attribute t and
//
//   forward(x) = source(x)                          t <= 0
//              = lerp(source(x), target(x), t)      0 < t < 1
//              = target(x)                          t >= 1
//
// For training in this process forward is the operator actswap::blend, one pass over memory each
// way, if both functions have a kernel. In eval mode its ends are stock operators and so exact; in
// train mode they are exact up to rounding. Files for any PyTorch contain only stock operators:
// save_blended writes them, or a Retargeter with BlendCode::stock; module().save() of a fused one
// writes a file that needs this library. Each blend and the root have a method set_blend(t: float)
// for loops that do not know this library (unless the model has its own method of that name).
#pragma once

#include <actswap/base/export.h>
#include <actswap/graph/blend.h>
#include <actswap/graph/plan.h>

#include <map>
#include <string>
#include <vector>

namespace actswap {

enum class Tensors {
  copied,  ///< parameters start equal, and training moves the copies
  shared,  ///< the model's own parameters, which takes no memory: for use without training
};

class ACTSWAP_API Retargeter {
 public:
  /// Works on a copy of the model.
  /// @throws UsageError for a plan that does not belong to this model, or swaps nothing unless
  ///   `may_swap_nothing`
  Retargeter(const Model& model, const Plan& plan, Tensors tensors = Tensors::copied,
             BlendCode code = BlendCode::fused, bool may_swap_nothing = false);

  /// The blended module: forward, parameters, train, eval, save as with any other.
  torch::jit::Module& module() { return module_; }
  const torch::jit::Module& module() const { return module_; }

  /// t of every blend; clamped to [0, 1]. @throws UsageError for a t that is not a number.
  void set_blend(double t);
  /// t of one site. @throws UsageError for an id that is not among the blended sites.
  void set_blend(const std::string& site_id, double t);
  double blend(const std::string& site_id) const;

  /// Makes the blends report their outputs to a BlendRecorder, which the training signal `sites`
  /// needs. From now on module() is another object with the same tensors, which computes the same.
  /// Not for a module to be saved with its blends: the file would need this library.
  void observe_blends();

  /// Continues with another module that has the same blends: one from which units were cut.
  void replace(const torch::jit::Module& module);

  /// The retargeted module: blends gone, target functions in their places, stock operators only.
  /// A copy: this object stays usable.
  torch::jit::Module finish() const;

  const Plan& plan() const { return plan_; }
  const Model& original() const { return original_; }

 private:
  void find_blends();

  Model original_;
  Plan plan_;
  torch::jit::Module module_;
  std::map<std::string, std::string> paths_;          ///< of the blends, by site id
  std::map<std::string, torch::jit::Module> blends_;  ///< by site id
};

}  // namespace actswap
