// Conditions that depend on a list or dict of the model which its code only reads.
#pragma once

#include <actswap/graph/walk.h>

#include <torch/script.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace actswap {

/// A feature extractor, say, asks `name in self.return_layers` after each layer, and if so keeps
/// the layer's output. Numbers and flags do not count: users set those after loading.
class FixedContainers {
 public:
  explicit FixedContainers(const std::vector<ModuleEntry>& modules);

  /// The attribute that a condition reads: `<constant> in <object>.<attribute>`
  /// (aten::__contains__); nullptr for another condition, or if some code may change an attribute
  /// of that name.
  const torch::jit::Node* asked_by(const torch::jit::Value* condition) const;
  /// The condition's value if the attribute is that of `object`; empty if unknown.
  static std::optional<bool> answer(const torch::jit::Value* condition,
                                    const c10::ivalue::Object& object);

 private:
  std::set<std::string> changed_;  // names of attributes
};

}  // namespace actswap
