#include <actswap/graph/trace.h>

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>

namespace actswap {

namespace jit = torch::jit;

Tracer::Tracer(std::vector<ModuleEntry> modules, const std::vector<const Match*>& matches)
    : modules_(std::move(modules)), fixed_(modules_) {
  for (const auto* match : matches) {
    matches_[match->node].push_back(match);
    parts_[match->node];
    for (const jit::Node* part : match->parts) {
      parts_[part];
    }
  }
}

void Tracer::run(c10::ivalue::Object* self, jit::Graph& graph) {
  Abstracts inputs;
  for (const jit::Value* input : graph.inputs()) {
    inputs.push_back(fresh(input));
  }
  if (self != nullptr) {
    inputs.at(0) = {.objects = {self}};
  }
  const auto outputs = call(self, graph, inputs);
  ++clock_;
  for (const auto& output : outputs) {
    memory_.read(flat(output), clock_, graph.return_node());
  }
}

Tracer::Abstracts Tracer::call(c10::ivalue::Object* self, jit::Graph& graph,
                               const Abstracts& inputs) {
  visited_.insert(&graph);
  Frame frame{.self = self};
  return run_block(frame, graph.block(), inputs);
}

Tracer::Abstracts Tracer::run_block(Frame& frame, jit::Block* block, const Abstracts& inputs) {
  const std::size_t hidden = frame.hidden.size();
  set(frame, block->inputs(), inputs);
  for (jit::Node* node : block->nodes()) {
    run_node(frame, node);
  }
  const auto outputs = get(frame, block->outputs());
  unhide(frame, hidden);
  return outputs;
}

void Tracer::run_node(Frame& frame, jit::Node* node) {
  if (!is_complete()) {
    return;
  }
  ++clock_;
  const bool is_part = parts_.contains(node);
  if (is_part) {
    note_part(frame, node);
  }
  run_any(frame, node);
  if (const auto found = is_part ? matches_.find(node) : matches_.end(); found != matches_.end()) {
    for (const auto* match : found->second) {
      note_application(frame, *match);
    }
  }
}

void Tracer::run_any(Frame& frame, jit::Node* node) {
  switch (node->kind()) {
    case c10::prim::Constant:
      if (may_hold_memory(node->output()->type())) {
        const auto [at, is_new] = constants_.try_emplace(node, 0);
        at->second = is_new ? memory_.allocate(Memory::Kind::kept) : at->second;
        frame.values[node->output()] = {.holding = {{at->second, 0}}};
      }
      return;
    case c10::prim::If:
      return run_if(frame, node);
    case c10::prim::Loop:
      return run_loop(frame, node);
    case c10::prim::CallMethod:
    case c10::prim::CallFunction:
      return run_method(frame, node);
    case c10::prim::fork:
      return run_fork(frame, node);
    case c10::aten::wait:
      return run_wait(frame, node);
    case c10::prim::GetAttr:
      return run_get_attribute(frame, node);
    case c10::prim::SetAttr:
      return run_set_attribute(frame, node);
    case c10::prim::ModuleContainerIndex:
      return run_container_index(frame, node);
    case c10::prim::CreateObject:
      return set(frame, node->outputs(), {fresh(node->output(), Memory::Kind::container)});
    case c10::prim::TupleConstruct:
      frame.values[node->output()] = {.elements = get(frame, node->inputs())};
      return;
    case c10::prim::ListConstruct:
    case c10::prim::DictConstruct:
      frame.values[node->output()] = fresh(node->output(), Memory::Kind::container);
      for (const jit::Value* input : node->inputs()) {
        memory_.put(frame.values[node->output()].holding, flat(get(frame, input)));
      }
      return;
    case c10::prim::TupleUnpack:
    case c10::prim::TupleIndex:
    case c10::prim::TupleSlice:
    case c10::prim::ListUnpack:
      return run_unpack(frame, node);
    case c10::prim::unchecked_cast:
      frame.values[node->output()] = get(frame, node->input());
      return;
    default:
      return run_operator(frame, node);
  }
}

template <typename Run>
Tracer::Abstracts Tracer::run_one_of(std::size_t count, Run run) {
  std::vector<Abstracts> outputs;
  std::vector<std::size_t> first;
  std::vector<Time> begin;
  for (std::size_t i = 0; i < count; ++i) {
    first.push_back(applications_.size());
    begin.push_back(clock_ + 1);
    outputs.push_back(run(i));
  }
  first.push_back(applications_.size());
  begin.push_back(clock_ + 1);
  for (std::size_t i = 0; count > 1 && i < count; ++i) {
    for (std::size_t k = first[i]; k < first[i + 1]; ++k) {
      applications_[k].elsewhere.emplace_back(begin[i + 1], clock_);
    }
    // One of two others is enough: the other only makes the answer more careful.
    const bool is_last = i + 1 == count;
    outputs[i] = without(std::move(outputs[i]), is_last ? begin[0] : begin[i + 1],
                         is_last ? begin[i] - 1 : clock_);
    outputs[0] = i == 0 ? outputs[0] : merged(outputs[0], outputs[i]);
  }
  return outputs[0];
}

std::optional<bool> Tracer::decided(const Frame& frame, const jit::Value* condition) const {
  if (const auto constant = jit::toIValue(condition)) {
    return constant->toBool();
  }
  const jit::Node* attribute = fixed_.asked_by(condition);
  const auto objects = attribute == nullptr ? std::vector<c10::ivalue::Object*>{}
                                            : get(frame, attribute->input()).objects;
  return objects.size() == 1 ? FixedContainers::answer(condition, *objects.front()) : std::nullopt;
}

void Tracer::run_if(Frame& frame, jit::Node* node) {
  if (const auto& branch = inplace_branch(node)) {
    return run_inplace_branch(frame, node, *branch);
  }
  const auto blocks = node->blocks();
  if (const auto condition = decided(frame, node->input(0))) {
    const auto outputs = run_block(frame, blocks[*condition ? 0 : 1], {});
    return set(frame, node->outputs(), outputs);
  }
  const auto outputs =
      run_one_of(blocks.size(), [&](std::size_t i) { return run_block(frame, blocks[i], {}); });
  set(frame, node->outputs(), outputs);
}

// The second round sees the values that the first left. Those that it leaves count as read.
void Tracer::run_loop(Frame& frame, jit::Node* node) {
  jit::Block* body = node->blocks()[0];
  auto carried = get(frame, node->inputs().slice(2));  // first go the count and the condition
  // The loop's results if it ends before each of the rounds.
  std::vector<Abstracts> ends;
  std::vector<Time> begin;
  for (int round = 0; round < 2; ++round) {
    ends.push_back(carried);
    begin.push_back(clock_ + 1);
    carried.insert(carried.begin(), Abstract{});  // the round's number
    carried = run_block(frame, body, carried);
    carried.erase(carried.begin());  // the condition
  }
  ++clock_;
  for (std::size_t i = 0; i < carried.size(); ++i) {
    if (body->inputs()[i + 1]->hasUses()) {
      memory_.read(flat(carried[i]), clock_, node);
    }
  }
  auto outputs = carried;
  for (std::size_t round = 0; round < ends.size(); ++round) {
    outputs = merged(outputs, without(ends[round], begin[round], clock_));
  }
  set(frame, node->outputs(), outputs);
}

// Of a function or a method; through an interface any module that fits may be called.
void Tracer::run_method(Frame& frame, jit::Node* node) {
  struct Callee {
    c10::ivalue::Object* self;
    jit::Graph* graph;
  };
  std::vector<Callee> callees;
  auto inputs = get(frame, node->inputs());
  const bool is_method = node->kind() == c10::prim::CallMethod;
  auto objects = is_method ? inputs.at(0).objects : std::vector<c10::ivalue::Object*>{};
  if (objects.empty()) {
    if (auto* code = callee_of(node)) {
      callees.push_back({frame.self, code->graph().get()});
    } else if (is_method) {
      for (const auto& entry : modules_) {
        if (entry.module.type()->isSubtypeOf(*node->input(0)->type())) {
          objects.push_back(entry.module._ivalue().get());
        }
      }
    }
  }
  for (auto* object : objects) {
    const auto& name = node->s(c10::attr::name);
    auto* method = object->type()->findMethod(name);
    method = method == nullptr ? object->type()->findHook(name) : method;
    if (auto* code = method == nullptr ? nullptr : jit::tryToGraphFunction(*method)) {
      callees.push_back({object, code->graph().get()});
    }
  }
  // What calls itself cannot be followed.
  const bool can_follow =
      !callees.empty() && std::none_of(callees.begin(), callees.end(), [&](const Callee& callee) {
        return running_.contains({callee.self, callee.graph});
      });
  if (!can_follow) {
    for (const auto& input : inputs) {
      memory_.read(flat(input), clock_, node);
      memory_.write(flat(input), clock_, node);
    }
    return share_all(frame, node);
  }
  if (!is_method) {
    inputs.erase(inputs.begin());  // the function
  }
  const auto outputs = run_one_of(callees.size(), [&](std::size_t i) {
    const auto& [self, graph] = callees[i];
    if (!objects.empty()) {
      inputs[0] = {.objects = {self}};
    }
    running_.emplace(self, graph);
    auto found = call(self, *graph, inputs);
    running_.erase({self, graph});
    return found;
  });
  set(frame, node->outputs(), outputs);
}

// The fork may run until somebody waits for it, so its inputs count as read then.
void Tracer::run_fork(Frame& frame, jit::Node* node) {
  const auto forked = forked_graph(node);
  if (forked == nullptr) {
    return share_all(frame, node);
  }
  const auto inputs = get(frame, node->inputs());
  Abstract future;
  future.elements = call(frame.self, *forked, inputs);
  future.elements.insert(future.elements.end(), inputs.begin(), inputs.end());
  frame.values[node->output()] = future;
}

void Tracer::run_wait(Frame& frame, jit::Node* node) {
  const auto future = get(frame, node->input(0));
  if (future.elements.empty()) {
    memory_.read(flat(future), clock_, node);
    return share_all(frame, node);
  }
  for (std::size_t i = 1; i < future.elements.size(); ++i) {
    memory_.read(flat(future.elements[i]), clock_, node);
  }
  frame.values[node->output()] = future.elements[0];
}

Holding Tracer::written_by(const Frame& frame, jit::Node* node) {
  if (node->kind() == c10::prim::If) {
    const auto& branch = inplace_branch(node);
    return branch && branch->in_place ? reach(frame, branch->input) : Holding{};
  }
  Holding written;
  for (const std::size_t input : effects(node).written) {
    add(written, reach(frame, node->input(input)));
  }
  return written;
}

void Tracer::note_part(const Frame& frame, jit::Node* node) {
  parts_[node] = {clock_, written_by(frame, node)};
}

// Its replacement returns new memory, and later reads of its input get that too.
void Tracer::note_application(Frame& frame, const Match& match) {
  Application application{.match = &match, .self = frame.self, .begin = clock_, .end = clock_};
  const auto add_part = [&](const jit::Node* part) {
    const auto& [time, written] = parts_[part];
    application.begin = std::min(application.begin, time);
    if (!written.empty()) {
      application.writes.push_back({time, written});
    }
  };
  add_part(match.node);
  std::for_each(match.parts.begin(), match.parts.end(), add_part);
  application.input = reach(frame, match.input);
  const auto since_now = [&](const Holding& holding) {
    Holding held;
    for (const auto& [location, since, from, to] : holding) {
      add(held, {{.location = location, .since = clock_}});
    }
    return held;
  };
  application.output = since_now(reach(frame, match.node->output()));
  frame.values[match.node->output()] = {.holding = application.output};
  if (match.in_place) {
    hide(frame, match.input, {.holding = since_now(application.input)});
  }
  applications_.push_back(std::move(application));
}

}  // namespace actswap
