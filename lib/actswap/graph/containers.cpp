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

c10::IValue copy_containers(const c10::IValue& value) {
  if (value.isList()) {
    const auto list = value.toList();
    c10::impl::GenericList copy(list.elementType());
    copy.reserve(list.size());
    for (const c10::IValue& element : list) {
      copy.push_back(copy_containers(element));
    }
    return copy;
  }
  if (value.isGenericDict()) {
    const auto dict = value.toGenericDict();
    c10::impl::GenericDict copy(dict.keyType(), dict.valueType());
    copy.reserve(dict.size());
    for (const auto& entry : dict) {
      copy.insert(entry.key(), copy_containers(entry.value()));
    }
    return copy;
  }
  if (value.isTuple()) {
    const auto& tuple = value.toTupleRef();
    std::vector<c10::IValue> elements;
    for (const auto& element : tuple.elements()) {
      elements.push_back(copy_containers(element));
    }
    return c10::ivalue::Tuple::createNamed(std::move(elements), tuple.type());
  }
  return value;
}

}  // namespace actswap
