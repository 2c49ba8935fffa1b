#include <actswap/graph/operators.h>
#include <actswap/graph/trace.h>

#include <algorithm>

namespace actswap {

namespace jit = torch::jit;

Holding Tracer::flat(const Abstract& value) {
  Holding holding = value.holding;
  for (const auto& element : value.elements) {
    add(holding, flat(element));
  }
  return holding;
}

Tracer::Abstract Tracer::merged(const Abstract& a, const Abstract& b) {
  Abstract both = {.holding = a.holding, .objects = a.objects};
  for (auto* object : b.objects) {
    if (std::find(both.objects.begin(), both.objects.end(), object) == both.objects.end()) {
      both.objects.push_back(object);
    }
  }
  if (a.elements.size() == b.elements.size()) {
    add(both.holding, b.holding);
    both.elements = merged(a.elements, b.elements);
  } else {
    both.holding = flat(a);
    add(both.holding, flat(b));
  }
  return both;
}

Tracer::Abstracts Tracer::merged(const Abstracts& a, const Abstracts& b) {
  Abstracts both;
  std::transform(a.begin(), a.end(), b.begin(), std::back_inserter(both),
                 [](const Abstract& one, const Abstract& other) { return merged(one, other); });
  return both;
}

// As it is where something else ran than in this time.
Tracer::Abstract Tracer::without(Abstract value, Time from, Time to) {
  for (auto& held : value.holding) {
    held.absent_from = from;
    held.absent_to = to;
  }
  Holding sorted;
  add(sorted, value.holding);
  value.holding = std::move(sorted);
  value.elements = without(std::move(value.elements), from, to);
  return value;
}

Tracer::Abstracts Tracer::without(Abstracts values, Time from, Time to) {
  for (auto& value : values) {
    value = without(std::move(value), from, to);
  }
  return values;
}

Tracer::Abstract Tracer::fresh(const jit::Value* value, Memory::Kind kind) {
  return may_hold_memory(value->type()) ? Abstract{.holding = {{memory_.allocate(kind), clock_}}}
                                        : Abstract{};
}

Tracer::Abstract Tracer::of_type(const jit::Value* value, const Holding& holding) const {
  if (!may_hold_memory(value->type())) {
    return {};
  }
  const bool is_tensor = value->type()->isSubtypeOf(*c10::TensorType::get());
  return {.holding = is_tensor ? memory_.tensors(holding) : holding};
}

Tracer::Abstract Tracer::get(const Frame& frame, const jit::Value* value) const {
  const auto found = frame.values.find(value);
  return found == frame.values.end() ? Abstract{} : found->second;
}

Tracer::Abstracts Tracer::get(const Frame& frame, at::ArrayRef<jit::Value*> values) const {
  Abstracts found;
  for (const auto* value : values) {
    found.push_back(get(frame, value));
  }
  return found;
}

Holding Tracer::reach(const Frame& frame, const jit::Value* value) const {
  return memory_.reachable(flat(get(frame, value)));
}

void Tracer::set(Frame& frame, at::ArrayRef<jit::Value*> values, const Abstracts& found) {
  for (std::size_t i = 0; i < std::min(values.size(), found.size()); ++i) {
    frame.values[values[i]] = found[i];
  }
}

void Tracer::hide(Frame& frame, const jit::Value* value, Abstract by) {
  auto& current = frame.values[value];
  frame.hidden.emplace_back(value, std::move(current));
  current = std::move(by);
}

void Tracer::unhide(Frame& frame, std::size_t count) {
  while (frame.hidden.size() > count) {
    auto& [value, before] = frame.hidden.back();
    frame.values[value] = std::move(before);
    frame.hidden.pop_back();
  }
}

const Effects& Tracer::effects(const jit::Node* node) {
  const auto found = effects_.find(node);
  return found == effects_.end() ? effects_.emplace(node, effects_of(node)).first->second
                                 : found->second;
}

const std::optional<Tracer::Branch>& Tracer::inplace_branch(const jit::Node* node) {
  const auto [at, is_new] = branches_.try_emplace(node);
  if (is_new) {
    if (const auto match = match_inplace_branch(const_cast<jit::Node*>(node))) {
      at->second = Branch{match->input, match->in_place};
    }
  }
  return at->second;
}

Location Tracer::kept(const c10::ivalue::Object* owner, const std::string& attribute) {
  const auto [at, is_new] = attributes_.try_emplace({owner, attribute}, 0);
  if (is_new) {
    at->second = memory_.allocate(Memory::Kind::kept);
  }
  return at->second;
}

}  // namespace actswap
