// What a component must remember in order to continue later: numbers, texts and tensors by name.
#pragma once

#include <actswap/base/export.h>

#include <torch/types.h>

#include <map>
#include <string>
#include <vector>

namespace actswap {

/// Names have parts with slashes between them: "optimizer/3/mean". A State refers to the tensors
/// added to it and so shows later writes to them, unless it is a copy().
class ACTSWAP_API State {
 public:
  /// A number, a bool, a text, a tensor, or tuples of these.
  void set(const std::string& name, c10::IValue value);
  /// Adds all entries of `part` as "name/...".
  void set_part(const std::string& name, const State& part);
  /// Removes "name/...".
  void remove_part(const std::string& name);

  bool is_empty() const { return values_.empty(); }
  bool has(const std::string& name) const { return values_.contains(name); }
  bool has_part(const std::string& name) const;
  /// @throws FileError where there is none
  const c10::IValue& at(const std::string& name) const;
  /// The entries below "name/"; empty if there are none.
  State part(const std::string& name) const;
  /// A copy that has its own tensors.
  State copy() const;

  /// One value that a pickle can hold: a tuple of the names and one of the values.
  c10::IValue to_value() const;
  /// @throws FileError where it is not what to_value() gives
  static State from_value(const c10::IValue& value);

 private:
  std::map<std::string, c10::IValue> values_;
};

}  // namespace actswap
