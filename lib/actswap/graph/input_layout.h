// How a list of tensors becomes the arguments of a model's forward.
//
// Data sets, probes and calibrations hold the inputs of a model as tensors in a row. Most models
// take them as they are. One that takes a Dict[str, Tensor] gets one with the keys that its code
// reads, one that takes a tuple or a list of tensors gets that:
//
//   forward(self, x: Tensor, features: Dict[str, Tensor])     x, features["ids"], features["mask"]
//
// An argument of any other type (sr: int) keeps its default.
#pragma once

#include <torch/script.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

/// A tensor that forward takes.
struct InputPlace {
  std::size_t argument = 0;  ///< without self
  std::string key = {};  ///< in a dict, or the place in a tuple or list; empty: the argument itself
  std::string name = {};  ///< that of the argument, or the key of a dict
};

class InputLayout {
 public:
  /// Reads the model's code where forward takes more than tensors: a dict's keys are those that it
  /// reads by name, in that order; a list has as many tensors as it is unpacked to.
  explicit InputLayout(const torch::jit::Module& module);

  /// In the order in which inputs are given.
  const std::vector<InputPlace>& places() const { return places_; }

  /// Each time new dicts and lists, since a model may write to them. Arguments for which no inputs
  /// are left over are not among them: forward has defaults.
  /// @throws UsageError where there are some of a dict's, tuple's or list's tensors, but not all,
  /// and where forward takes values that nobody can give (needs_values)
  std::vector<c10::IValue> packed(const std::vector<torch::Tensor>& inputs) const;

  /// All of forward's arguments: packed, and forward's own defaults for the rest.
  /// @throws UsageError as packed does, and if there are too few or too many inputs
  std::vector<c10::IValue> complete(const std::vector<torch::Tensor>& inputs) const;

  /// The arguments that no tensor fits and that have no default, as "'sr' (int)", with commas
  /// between them. Empty: the model can run.
  std::string needs_values() const;

 private:
  enum class Kind { tensor, dict, tuple, list, value };
  struct Argument {
    Kind kind;
    std::string name;
    std::string type;
    std::optional<c10::IValue> preset;
    std::vector<std::string> keys;  // of a tensor: one, empty
  };

  std::vector<Argument> arguments_;
  std::vector<InputPlace> places_;
};

}  // namespace actswap
