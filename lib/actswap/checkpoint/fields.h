// Writes a component's fields into a State and reads them again, by one function that names each
// field once for both directions.
//
//   template <typename Fields>
//   void visit(Fields& fields, LossScale& scale) { fields("value", scale.value); ... }
//
// or a member `visit_fields(fields)` if the fields are private.
#pragma once

#include <actswap/base/error.h>
#include <actswap/checkpoint/state.h>

#include <torch/types.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace actswap {

namespace fields_detail {

template <typename T>
inline constexpr bool kIsPlain =
    std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_same_v<T, std::string> ||
    std::is_same_v<T, torch::Tensor> || std::is_same_v<T, c10::IValue>;

template <typename T>
c10::IValue to_value(const T& value) {
  if constexpr (std::is_same_v<T, torch::Tensor>) {
    return value.defined() ? c10::IValue(value.detach()) : c10::IValue();
  } else if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, double> ||
                       std::is_same_v<T, std::string> || std::is_same_v<T, c10::IValue>) {
    return value;
  } else {
    return static_cast<std::int64_t>(value);
  }
}

[[noreturn]] inline void fail(const std::string& name, const c10::IValue& value) {
  throw FileError("Expected '" + name + "' in the checkpoint to be of another type, but it is a " +
                  value.tagKind());
}

template <typename T>
void from_value(const std::string& name, const c10::IValue& value, T& to) {
  if constexpr (std::is_same_v<T, torch::Tensor>) {
    if (!value.isTensor() && !value.isNone()) {
      fail(name, value);
    }
    to = value.isTensor() ? value.toTensor().clone() : torch::Tensor();
  } else if constexpr (std::is_same_v<T, c10::IValue>) {
    to = value;
  } else if constexpr (std::is_same_v<T, bool>) {
    to = value.isBool() ? value.toBool() : (fail(name, value), false);
  } else if constexpr (std::is_same_v<T, double>) {
    to = value.isDouble() ? value.toDouble() : (fail(name, value), 0.0);
  } else if constexpr (std::is_same_v<T, std::string>) {
    to = value.isString() ? value.toStringRef() : (fail(name, value), std::string());
  } else {
    to = static_cast<T>(value.isInt() ? value.toInt() : (fail(name, value), 0));
  }
}

}  // namespace fields_detail

class FieldWriter {
 public:
  explicit FieldWriter(State& state) : state_(state) {}

  template <typename T>
  void operator()(const std::string& name, const T& value) {
    if constexpr (fields_detail::kIsPlain<T>) {
      state_.set(name, fields_detail::to_value(value));
    } else {
      State part;
      FieldWriter fields(part);
      // The same function reads, so it takes what it could write to.
      if constexpr (requires { const_cast<T&>(value).visit_fields(fields); }) {
        const_cast<T&>(value).visit_fields(fields);
      } else {
        visit(fields, const_cast<T&>(value));
      }
      state_.set_part(name, part);
    }
  }

  void operator()(const std::string& name, const State& value) { state_.set_part(name, value); }

  template <typename T>
  void operator()(const std::string& name, const std::optional<T>& value) {
    state_.set(name + "?", value.has_value());
    if (value) {
      (*this)(name, *value);
    }
  }

  template <typename T>
  void operator()(const std::string& name, const std::vector<T>& values) {
    if constexpr (fields_detail::kIsPlain<T>) {
      std::vector<c10::IValue> elements;
      elements.reserve(values.size());
      for (const T& value : values) {
        elements.push_back(fields_detail::to_value(value));
      }
      state_.set(name, c10::ivalue::Tuple::create(std::move(elements)));
    } else {
      state_.set(name + "#", static_cast<std::int64_t>(values.size()));
      for (std::size_t i = 0; i < values.size(); ++i) {
        (*this)(name + "/" + std::to_string(i), values[i]);
      }
    }
  }

  template <typename T>
  void operator()(const std::string& name, const std::map<std::string, T>& values) {
    std::vector<std::string> keys;
    std::vector<T> mapped;
    for (const auto& [key, value] : values) {
      keys.push_back(key);
      mapped.push_back(value);
    }
    (*this)(name + " keys", keys);
    (*this)(name, mapped);
  }

 private:
  State& state_;
};

/// @throws FileError if a field is missing or of another type. Tensors are copies.
class FieldReader {
 public:
  explicit FieldReader(const State& state) : state_(state) {}

  template <typename T>
  void operator()(const std::string& name, T& value) {
    if constexpr (fields_detail::kIsPlain<T>) {
      fields_detail::from_value(name, state_.at(name), value);
    } else {
      const auto part = state_.part(name);
      FieldReader fields(part);
      if constexpr (requires { value.visit_fields(fields); }) {
        value.visit_fields(fields);
      } else {
        visit(fields, value);
      }
    }
  }

  void operator()(const std::string& name, State& value) { value = state_.part(name); }

  template <typename T>
  void operator()(const std::string& name, std::optional<T>& value) {
    bool has_value = false;
    (*this)(name + "?", has_value);
    value.reset();
    if (has_value) {
      (*this)(name, value.emplace());
    }
  }

  template <typename T>
  void operator()(const std::string& name, std::vector<T>& values) {
    values.clear();
    if constexpr (fields_detail::kIsPlain<T>) {
      const auto& tuple = state_.at(name);
      if (!tuple.isTuple()) {
        fields_detail::fail(name, tuple);
      }
      for (const auto& element : tuple.toTupleRef().elements()) {
        T value{};
        fields_detail::from_value(name, element, value);
        values.push_back(std::move(value));
      }
    } else {
      std::int64_t size = 0;
      (*this)(name + "#", size);
      for (std::int64_t i = 0; i < size; ++i) {
        (*this)(name + "/" + std::to_string(i), values.emplace_back());
      }
    }
  }

  template <typename T>
  void operator()(const std::string& name, std::map<std::string, T>& values) {
    std::vector<std::string> keys;
    std::vector<T> mapped;
    (*this)(name + " keys", keys);
    (*this)(name, mapped);
    values.clear();
    for (std::size_t i = 0; i < std::min(keys.size(), mapped.size()); ++i) {
      values.emplace(keys[i], std::move(mapped[i]));
    }
  }

 private:
  const State& state_;
};

/// Of something with fields.
template <typename T>
State state_of(const T& value) {
  State state;
  FieldWriter fields(state);
  if constexpr (requires { const_cast<T&>(value).visit_fields(fields); }) {
    const_cast<T&>(value).visit_fields(fields);
  } else {
    visit(fields, const_cast<T&>(value));
  }
  return state;
}

template <typename T>
void restore(T& value, const State& state) {
  FieldReader fields(state);
  if constexpr (requires { value.visit_fields(fields); }) {
    value.visit_fields(fields);
  } else {
    visit(fields, value);
  }
}

}  // namespace actswap
