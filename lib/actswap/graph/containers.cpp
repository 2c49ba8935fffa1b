#include <actswap/graph/containers.h>

#include <utility>
#include <vector>

namespace actswap {

void for_each_element(const c10::IValue& value,
                      const std::function<void(const c10::IValue&)>& visit) {
  if (value.isList()) {
    for (const c10::IValue& element : value.toList()) {
      for_each_element(element, visit);
    }
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) {
      for_each_element(entry.key(), visit);
      for_each_element(entry.value(), visit);
    }
  } else if (value.isTuple()) {
    for (const auto& element : value.toTupleRef().elements()) {
      for_each_element(element, visit);
    }
  } else {
    visit(value);
  }
}

ContainerCopies::ContainerCopies(std::function<c10::IValue(const c10::IValue&)> element)
    : element_(std::move(element)) {}

c10::IValue ContainerCopies::of(const c10::IValue& value) {
  if (value.isTuple()) {
    const auto& tuple = value.toTupleRef();
    std::vector<c10::IValue> elements;
    for (const auto& element : tuple.elements()) {
      elements.push_back(of(element));
    }
    return c10::ivalue::Tuple::createNamed(std::move(elements), tuple.type());
  }
  if (!value.isList() && !value.isGenericDict()) {
    return element_ ? element_(value) : value;
  }
  const void* identity = value.internalToPointer();
  if (const auto known = known_.find(identity); known != known_.end()) {
    return known->second;
  }
  c10::IValue made;
  if (value.isList()) {
    const auto list = value.toList();
    c10::impl::GenericList copy(list.elementType());
    for (const c10::IValue& element : list) {
      copy.push_back(of(element));
    }
    made = copy;
  } else {
    const auto dict = value.toGenericDict();
    c10::impl::GenericDict copy(dict.keyType(), dict.valueType());
    for (const auto& entry : dict) {
      copy.insert(entry.key(), of(entry.value()));
    }
    made = copy;
  }
  return known_.emplace(identity, made).first->second;
}

}  // namespace actswap
