#include <actswap/base/error.h>
#include <actswap/checkpoint/state.h>

#include <ATen/core/ivalue.h>

#include <utility>

namespace actswap {

namespace {

c10::IValue copied(const c10::IValue& value) {
  if (value.isTensor()) {
    return value.toTensor().detach().clone();
  }
  if (!value.isTuple()) {
    return value;
  }
  std::vector<c10::IValue> elements;
  for (const auto& element : value.toTupleRef().elements()) {
    elements.push_back(copied(element));
  }
  return c10::ivalue::Tuple::create(std::move(elements));
}

bool is_below(const std::string& name, const std::string& part) {
  return name.size() > part.size() && name[part.size()] == '/' && name.starts_with(part);
}

}  // namespace

void State::set(const std::string& name, c10::IValue value) {
  values_[name] = std::move(value);
}

void State::set_part(const std::string& name, const State& part) {
  for (const auto& [key, value] : part.values_) {
    values_[name + "/" + key] = value;
  }
}

void State::remove_part(const std::string& name) {
  std::erase_if(values_, [&](const auto& entry) { return is_below(entry.first, name); });
}

bool State::has_part(const std::string& name) const {
  const auto found = values_.lower_bound(name + "/");
  return found != values_.end() && is_below(found->first, name);
}

const c10::IValue& State::at(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) {
    throw FileError("Expected '" + name + "' in the checkpoint, but it is not there");
  }
  return found->second;
}

State State::part(const std::string& name) const {
  State part;
  for (auto found = values_.lower_bound(name + "/");
       found != values_.end() && is_below(found->first, name); ++found) {
    part.values_[found->first.substr(name.size() + 1)] = found->second;
  }
  return part;
}

State State::copy() const {
  State result;
  for (const auto& [name, value] : values_) {
    result.values_[name] = copied(value);
  }
  return result;
}

c10::IValue State::to_value() const {
  std::vector<c10::IValue> names;
  std::vector<c10::IValue> values;
  for (const auto& [name, value] : values_) {
    names.emplace_back(name);
    values.push_back(value);
  }
  return c10::ivalue::Tuple::create(std::vector<c10::IValue>{
      c10::ivalue::Tuple::create(std::move(names)), c10::ivalue::Tuple::create(std::move(values))});
}

State State::from_value(const c10::IValue& value) {
  const auto fail = [] { throw FileError("Expected names and values in a checkpoint"); };
  if (!value.isTuple() || value.toTupleRef().size() != 2) {
    fail();
  }
  const auto& both = value.toTupleRef().elements();
  if (!both[0].isTuple() || !both[1].isTuple() ||
      both[0].toTupleRef().size() != both[1].toTupleRef().size()) {
    fail();
  }
  State state;
  for (std::size_t i = 0; i < both[0].toTupleRef().size(); ++i) {
    const auto& name = both[0].toTupleRef().elements()[i];
    if (!name.isString()) {
      fail();
    }
    state.values_[name.toStringRef()] = both[1].toTupleRef().elements()[i];
  }
  return state;
}

}  // namespace actswap
