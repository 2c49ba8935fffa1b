#include <actswap/base/error.h>
#include <actswap/run/outputs.h>

#include <torch/script.h>

#include <algorithm>
#include <utility>

namespace actswap {

namespace {

constexpr std::size_t kMostLevels = 1000;

std::string key_text(const c10::IValue& key) {
  return key.isString() ? "'" + key.toStringRef() + "'"
         : key.isInt()  ? std::to_string(key.toInt())
                        : c10::str(key);
}

class Collector {
 public:
  explicit Collector(Outputs& found) : found_(found) {}

  void visit(const c10::IValue& value, const std::string& place) {
    if (value.isTensor()) {
      visit_tensor(value.toTensor(), place);
    } else if (value.isTuple() || value.isList() || value.isGenericDict() || is_open(value)) {
      visit_container(value, place);
    } else if (value.isFuture()) {
      auto future = value.toFuture();
      future->waitAndThrow();
      visit(future->value(), place);
    } else if (is_numeric(value) || value.isString() || value.isNone()) {
      add(place, value);
    } else {
      add(place, name_of(value));
    }
  }

 private:
  struct Open {
    c10::IValue container;
    std::string place;
  };

  void add(const std::string& place, c10::IValue value) {
    found_.push_back({place, std::move(value)});
  }

  // An object of a class of the model's code, whose attributes are values.
  static bool is_open(const c10::IValue& value) {
    return value.isObject() && !value.isModule() && !value.isCustomClass();
  }

  static std::string name_of(const c10::IValue& value) {
    if (value.isObject()) {
      return "<" + value.toObjectRef().type()->str() + ">";
    }
    if (value.isDevice()) {
      return value.toDevice().str();
    }
    return value.isEnum()
               ? value.toEnumHolder()->qualifiedClassName() + "." + value.toEnumHolder()->name()
               : "<" + value.tagKind() + ">";
  }

  void visit_tensor(const torch::Tensor& tensor, const std::string& place) {
    if (!tensor.defined()) {
      add(place, c10::IValue());
    } else if (tensor.is_nested()) {
      const auto parts = tensor.unbind();
      for (std::size_t i = 0; i < parts.size(); ++i) {
        add(place + "[" + std::to_string(i) + "]", parts[i]);
      }
    } else {
      add(place, tensor);
    }
  }

  void visit_container(const c10::IValue& value, const std::string& place) {
    const auto same = std::find_if(open_.begin(), open_.end(),
                                   [&](const Open& each) { return each.container.is(value); });
    if (same != open_.end()) {
      add(place, "<a link back to the output" + same->place + ">");
      return;
    }
    if (open_.size() == kMostLevels) {
      throw UsageError("The model's output is nested more than " + std::to_string(kMostLevels) +
                       " levels deep; expected one that can be compared value by value");
    }
    open_.push_back({value, place});
    visit_parts(value, place);
    open_.pop_back();
  }

  void visit_parts(const c10::IValue& value, const std::string& place) {
    const auto number = [&](std::size_t i) { return place + "[" + std::to_string(i) + "]"; };
    if (value.isTuple()) {
      const auto& elements = value.toTupleRef().elements();
      const auto type = value.toTupleRef().type();
      const auto* schema = type->schema().get();
      for (std::size_t i = 0; i < elements.size(); ++i) {
        visit(elements[i],
              schema == nullptr ? number(i) : place + "." + schema->arguments().at(i).name());
      }
    } else if (value.isList()) {
      const auto elements = value.toListRef();
      for (std::size_t i = 0; i < elements.size(); ++i) {
        visit(elements[i], number(i));
      }
    } else if (value.isGenericDict()) {
      for (const auto& entry : value.toGenericDict()) {
        visit(entry.value(), place + "[" + key_text(entry.key()) + "]");
      }
    } else {
      const auto& object = value.toObjectRef();
      for (std::size_t i = 0; i < object.slots().size(); ++i) {
        visit(object.slots()[i], place + "." + object.type()->getAttributeName(i));
      }
    }
  }

  Outputs& found_;
  std::vector<Open> open_;  // the containers that hold the value which is visited
};

}  // namespace

Outputs outputs_in(const c10::IValue& value) {
  Outputs found;
  Collector(found).visit(value, "");
  return found;
}

std::vector<torch::Tensor> tensors_in(const Outputs& outputs) {
  std::vector<torch::Tensor> tensors;
  std::vector<torch::Tensor> numbers;
  for (const auto& [place, value] : outputs) {
    if (value.isTensor()) {
      tensors.push_back(value.toTensor());
    } else if (is_numeric(value)) {
      numbers.push_back(plain_tensor(value));
    }
  }
  return tensors.empty() ? numbers : tensors;
}

std::vector<torch::Tensor> tensors_in(const c10::IValue& value) {
  return tensors_in(outputs_in(value));
}

bool is_numeric(const c10::IValue& value) {
  return value.isTensor() || value.isDouble() || value.isInt() || value.isBool() ||
         value.isComplexDouble();
}

torch::Tensor plain_tensor(const c10::IValue& value) {
  if (!value.isTensor()) {
    return torch::scalar_tensor(value.toScalar(), value.isDouble() ? torch::kFloat64
                                                  : value.isInt()  ? torch::kInt64
                                                  : value.isBool() ? torch::kBool
                                                                   : torch::kComplexDouble);
  }
  const auto tensor = value.toTensor().detach();
  if (tensor.is_quantized()) {
    return tensor.dequantize();
  }
  return tensor.layout() == torch::kStrided ? tensor.resolve_conj().resolve_neg()
                                            : tensor.to_dense();
}

}  // namespace actswap
