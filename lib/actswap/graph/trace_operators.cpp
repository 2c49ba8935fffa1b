#include <actswap/graph/trace.h>

#include <torch/csrc/jit/ir/constants.h>

namespace actswap {

namespace jit = torch::jit;

void Tracer::run_get_attribute(Frame& frame, jit::Node* node) {
  const auto owner = get(frame, node->input(0));
  const auto& name = node->s(c10::attr::name);
  Abstract found;
  for (auto* object : owner.objects) {
    const auto attribute = object->getAttr(name);
    if (attribute.isModule()) {
      found.objects.push_back(attribute.toObject().get());
    } else if (may_hold_memory(node->output()->type())) {
      add(found.holding, {{kept(object, name), 0}});
    }
  }
  if (owner.objects.empty() && may_hold_memory(node->output()->type())) {
    found.holding = memory_.reachable(flat(owner));
  }
  frame.values[node->output()] = {.holding = memory_.reachable(found.holding),
                                  .objects = found.objects};
}

// The next run of the model may read it.
void Tracer::run_set_attribute(Frame& frame, jit::Node* node) {
  const auto owner = get(frame, node->input(0));
  const auto value = flat(get(frame, node->input(1)));
  for (const auto* object : owner.objects) {
    memory_.put({{kept(object, node->s(c10::attr::name)), 0}}, value);
    memory_.read(value, kForever, node);
  }
  memory_.put(owner.holding, value);
}

void Tracer::run_container_index(Frame& frame, jit::Node* node) {
  Abstract found;
  for (auto* container : get(frame, node->input(0)).objects) {
    for (const auto& slot : container->slots()) {
      if (slot.isModule() && slot.type()->isSubtypeOf(*node->output()->type())) {
        found.objects.push_back(slot.toObject().get());
      }
    }
  }
  frame.values[node->output()] = found;
}

void Tracer::run_unpack(Frame& frame, jit::Node* node) {
  const auto whole = get(frame, node->input(0));
  if (node->kind() == c10::prim::TupleUnpack && whole.elements.size() == node->outputs().size()) {
    return set(frame, node->outputs(), whole.elements);
  }
  const auto index =
      node->kind() == c10::prim::TupleIndex ? jit::toIValue(node->input(1)) : std::nullopt;
  if (index && index->isInt()) {
    const auto at = index->toInt() + (index->toInt() < 0 ? std::ssize(whole.elements) : 0);
    if (at >= 0 && at < std::ssize(whole.elements)) {
      frame.values[node->output()] = whole.elements[at];
      return;
    }
  }
  share_all(frame, node);
  const jit::Node* cutter = node->input(0)->node();
  if (node->kind() != c10::prim::ListUnpack || node->input(0)->uses().size() != 1 ||
      cutter->blocks().size() > 0 || !effects(cutter).cuts) {
    return;
  }
  for (std::size_t i = 0; i < node->outputs().size(); ++i) {
    auto& part = frame.values[node->output(i)].holding;
    for (auto& held : part) {
      held.location = memory_.part_of(held.location, clock_, i);
    }
  }
}

void Tracer::run_inplace_branch(Frame& frame, jit::Node* node, const Branch& branch) {
  const auto input = reach(frame, branch.input);
  memory_.read(input, clock_, node);
  if (branch.in_place) {
    memory_.write(input, clock_, node);
  }
  frame.values[node->output()] =
      branch.in_place ? Abstract{.holding = input} : fresh(node->output());
}

void Tracer::run_operator(Frame& frame, jit::Node* node) {
  const auto& effect = effects(node);
  Holding all;
  for (const jit::Value* input : node->inputs()) {
    add(all, flat(get(frame, input)));
  }
  bool fills_container = false;
  for (const std::size_t input : effect.written) {
    const auto written = get(frame, node->input(input));
    if (node->input(input)->type()->isSubtypeOf(*c10::TensorType::get())) {
      memory_.write(flat(written), clock_, node);
    } else {
      fills_container = true;
      memory_.put(flat(written), all);
    }
  }
  if (effect.reads_values && !fills_container) {
    memory_.read(all, clock_, node);
  }
  for (std::size_t i = 0; i < node->outputs().size(); ++i) {
    Holding shared;
    for (const std::size_t input : effect.shared[i]) {
      add(shared, reach(frame, node->input(input)));
    }
    frame.values[node->output(i)] =
        effect.shared[i].empty() ? fresh(node->output(i)) : of_type(node->output(i), shared);
  }
}

void Tracer::share_all(Frame& frame, jit::Node* node) {
  Holding all;
  for (const jit::Value* input : node->inputs()) {
    add(all, reach(frame, input));
  }
  for (const jit::Value* output : node->outputs()) {
    frame.values[output] = of_type(output, all);
  }
}

}  // namespace actswap
