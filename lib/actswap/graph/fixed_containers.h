// Conditions that a list or dict of the model decides, which the model's code only reads.
#pragma once

#include <actswap/graph/walk.h>

#include <torch/script.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace actswap {

/// A feature extractor, say, asks `name in self.return_layers` behind each layer, and keeps what
/// the layer gave if so. Numbers and flags are not looked at: users set those after loading.
class FixedContainers {
 public:
  explicit FixedContainers(const std::vector<ModuleEntry>& modules);

  /// The attribute that a condition asks: `<constant> in <object>.<attribute>`
  /// (aten::__contains__); nullptr for another condition, or where some code may change an
  /// attribute of that name.
  const torch::jit::Node* asked_by(const torch::jit::Value* condition) const;
  /// What the condition is, where the attribute is that of `object`; empty: it cannot be told.
  static std::optional<bool> answer(const torch::jit::Value* condition,
                                    const c10::ivalue::Object& object);

 private:
  std::set<std::string> changed_;  // names of attributes
};

}  // namespace actswap
