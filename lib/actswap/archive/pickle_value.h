// The values that a pickle makes, as far as its readers need them.
#pragma once

#include <actswap/archive/zip.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace actswap::pickle {

enum class Kind {
  other,
  boolean,
  integer,
  string,
  global,
  tuple,
  list,
  dict,
  object,
  storage,
  tensor
};

/// Copies share what they hold.
struct Value {
  Kind kind = Kind::other;
  std::int64_t number = 0;       ///< integer; of a storage: its elements
  std::string_view text = {};    ///< string; a global's name; a storage's type: "FloatStorage"
  std::string_view module = {};  ///< a global's
  /// The elements of a tuple or list; of a dict, keys and values in turn; of a tensor, its storage,
  /// offset, sizes and strides.
  std::shared_ptr<std::vector<Value>> elements = nullptr;
  /// Of a tuple, list, dict, object or tensor.
  struct Shape {
    std::size_t depth = 1;
    bool is_contained = false;
  };
  std::shared_ptr<Shape> shape = nullptr;

  static Value of_text(Kind kind, std::string_view text) {
    Value value;
    value.kind = kind;
    value.text = text;
    return value;
  }
  static Value integer_of(Kind kind, std::int64_t number) {
    Value value;
    value.kind = kind;
    value.number = number;
    return value;
  }
  static Value integer(std::int64_t number) { return integer_of(Kind::integer, number); }
  static Value boolean(bool is_true) { return integer_of(Kind::boolean, is_true ? 1 : 0); }
  static Value container(Kind kind) {
    Value value;
    value.kind = kind;
    value.shape = std::make_shared<Shape>();
    value.elements = std::make_shared<std::vector<Value>>();
    return value;
  }
  static Value tuple(std::vector<Value> elements) {
    Value value = container(Kind::tuple);
    value.add(elements);
    return value;
  }
  static Value tensor(const Value& description) {
    Value value = object(description);
    value.kind = Kind::tensor;
    value.elements = description.elements;
    return value;
  }
  static Value object(const Value& content) {
    Value value = container(Kind::object);
    value.add({content});
    return value;
  }

  /// false if another value already contains this one: that would become deeper, or a circle.
  bool add(const std::vector<Value>& added) {
    for (const auto& element : added) {
      if (element.shape) {
        shape->depth = std::max(shape->depth, element.shape->depth + 1);
        element.shape->is_contained = true;
      }
    }
    if (!added.empty() && shape->is_contained) {
      return false;
    }
    elements->insert(elements->end(), added.begin(), added.end());
    return true;
  }

  std::size_t depth() const { return shape ? shape->depth : 0; }

  bool is(std::string_view of_module, std::string_view name) const {
    return kind == Kind::global && module == of_module && text == name;
  }
  /// The names of types and of quantization schemes are numbers for it.
  bool is_number_for_libtorch() const {
    return kind == Kind::integer || (kind == Kind::global && module == "torch" && text != "device");
  }
  bool is_unknown_to_libtorch() const {
    return kind == Kind::global && module == "torch" && text != "device" &&
           !text.ends_with("Storage") && !text.starts_with("per_");
  }
  bool is_storage_type() const {
    return kind == Kind::global && module == "torch" && text.ends_with("Storage");
  }
};

/// The values of a whole pickle. Its texts point into the content.
struct Made {
  std::shared_ptr<const std::string> content = nullptr;
  Value value = {};
};

/// Reads the pickle with the checks of check_pickle, up to the first operation that LibTorch does
/// not know.
/// @param folder of the records of the tensors; empty: they have none
/// @throws FileError
Made read(const ZipArchive& archive, const ZipRecord& record, const std::string& folder);

}  // namespace actswap::pickle
