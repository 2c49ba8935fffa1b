// The part of LabelledRun that knows branches and loops: code that not every run takes.
#include <actswap/prune/labelled_run.h>
#include <actswap/prune/operator_rules.h>

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

namespace actswap {

namespace jit = torch::jit;

namespace {

bool raises(const jit::Block* block) {
  return std::any_of(block->nodes().begin(), block->nodes().end(), [](const jit::Node* node) {
    return node->kind() == c10::prim::RaiseException;
  });
}

bool is_new(const jit::Value* value) {
  static const std::set<std::string> kNames = {"empty",     "new_empty", "empty_like", "zeros",
                                               "new_zeros", "ones",      "new_ones",   "rand",
                                               "rand_like", "randn",     "full",       "new_full"};
  const auto* node = value->node();
  return kNames.contains(node->kind().toUnqualString()) ||
         (node->maybeSchema() != nullptr && node->maybeSchema()->is_mutable() &&
          is_new(node->input(0)));
}

// To tensors from outside, lists or attributes.
bool writes(const jit::Block* block) {
  return std::any_of(block->nodes().begin(), block->nodes().end(), [](const jit::Node* node) {
    const auto* schema = node->maybeSchema();
    return (schema != nullptr && schema->is_mutable() && !is_new(node->input(0))) ||
           node->kind() == c10::prim::SetAttr || node->kind() == c10::prim::fork ||
           node->kind() == c10::prim::Loop ||
           std::any_of(node->blocks().begin(), node->blocks().end(),
                       [](const jit::Block* nested) { return writes(nested); });
  });
}

}  // namespace

void LabelledRun::run_if(Frame& frame, jit::Node* node) {
  const auto condition = frame.cells.at(node->input());
  const bool is_true = condition.value.toBool();
  const jit::Block* taken = node->blocks()[is_true ? 0 : 1];
  const jit::Block* other = node->blocks()[is_true ? 1 : 0];
  if (!raises(other)) {  // a check is not there to decide anything
    freeze_sizes(condition, "the code asks how many there are");
  }
  run_block(frame, taken);
  const bool may_differ = condition.is_dynamic && !raises(other);
  const auto others = may_differ ? run_other(frame, other) : std::nullopt;
  for (std::size_t i = 0; i < node->outputs().size(); ++i) {
    auto cell = frame.cells.at(taken->outputs()[i]);
    cell.is_dynamic = cell.is_dynamic || condition.is_dynamic;
    cell.is_sized = cell.is_sized || condition.is_sized;
    cell.is_given = cell.is_given || (condition.is_given && !cell.value.isTensor());
    cell.is_chosen = cell.is_chosen || may_differ;
    if (others) {
      tie_alternatives(cell.value, others->at(i));
    } else if (may_differ) {
      freeze_all(cell.value, "comes from a branch that not every run takes");
    }
    frame.cells[node->output(i)] = std::move(cell);
  }
}

// Runs the branch that these inputs do not take, because its code ties labels as well. Returns its
// results, or nothing if it cannot run on them: all that it reads is then frozen.
std::optional<std::vector<c10::IValue>> LabelledRun::run_other(Frame& frame,
                                                               const jit::Block* block) {
  const auto before = frame.cells;
  const bool was_other = std::exchange(is_other_, true);
  std::optional<std::vector<c10::IValue>> values;
  try {
    TORCH_CHECK(!writes(block), "not twice");
    run_block(frame, block);
    values.emplace();
    for (const jit::Value* output : block->outputs()) {
      values->push_back(frame.cells.at(output).value);
    }
  } catch (const std::exception&) {
    values.reset();
    freeze_captured(frame, block, "a branch that not every run takes reads it");
  }
  frame.cells = before;
  is_other_ = was_other;
  return values;
}

// Of two branches.
void LabelledRun::tie_alternatives(const c10::IValue& taken, const c10::IValue& other) {
  const std::string reason = "comes from a branch that not every run takes";
  const auto first = shapes_in(taken);
  const auto second = shapes_in(other);
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i >= first.size() || i >= second.size()) {
      algebra_.freeze(i < first.size() ? first[i] : second[i], reason);
      continue;
    }
    const auto tie_to_others = [&](const LabelledShape& a, const LabelledShape& b) {
      for (const auto& array : a.arrays) {
        const auto fits =
            std::find_if(b.arrays.begin(), b.arrays.end(),
                         [&](const at::Tensor& each) { return each.sizes() == array.sizes(); });
        if (fits == b.arrays.end()) {
          algebra_.freeze(array, reason);
        } else {
          algebra_.tie(array, *fits, reason);
        }
      }
    };
    tie_to_others(first[i], second[i]);
    tie_to_others(second[i], first[i]);
  }
}

void LabelledRun::run_loop(Frame& frame, jit::Node* node) {
  const jit::Block* body = node->blocks()[0];
  const auto limit = frame.cells.at(node->input(0));
  auto condition = frame.cells.at(node->input(1));
  bool is_dynamic = limit.is_dynamic;
  freeze_sizes(limit, "a loop runs as often as there are some");
  freeze_sizes(condition, "the code asks how many there are");
  std::vector<Cell> carried;
  for (std::size_t i = 2; i < node->inputs().size(); ++i) {
    carried.push_back(frame.cells.at(node->input(i)));
  }
  for (std::int64_t trip = 0; trip < limit.value.toInt() && condition.value.toBool(); ++trip) {
    is_dynamic = is_dynamic || condition.is_dynamic;
    frame.cells[body->inputs()[0]] = {trip, false, false};
    for (std::size_t i = 0; i < carried.size(); ++i) {
      frame.cells[body->inputs()[i + 1]] = carried[i];
    }
    run_block(frame, body);
    condition = frame.cells.at(body->outputs()[0]);
    freeze_sizes(condition, "the code asks how many there are");
    for (std::size_t i = 0; i < carried.size(); ++i) {
      carried[i] = frame.cells.at(body->outputs()[i + 1]);
    }
  }
  is_dynamic = is_dynamic || condition.is_dynamic;
  if (is_dynamic) {
    freeze_captured(frame, body, "a loop that depends on the inputs reads it");
  }
  for (std::size_t i = 0; i < carried.size(); ++i) {
    if (is_dynamic) {
      freeze_all(carried[i].value, "comes from a loop that depends on the inputs");
      carried[i].is_dynamic = carried[i].is_sized = carried[i].is_chosen = true;
    }
    frame.cells[node->output(i)] = carried[i];
  }
}

// Freezes the outside values that a block reads which did not run or may run more often.
void LabelledRun::freeze_captured(Frame& frame, const jit::Block* block,
                                  const std::string& reason) {
  std::unordered_map<const jit::Value*, c10::IValue> inside;
  const auto value_of = [&](const jit::Value* value) {
    const auto known = inside.find(value);
    if (known != inside.end()) {
      return known->second;
    }
    const auto outside = frame.cells.find(value);
    return outside == frame.cells.end() ? c10::IValue() : outside->second.value;
  };
  const std::function<void(const jit::Block*)> visit = [&](const jit::Block* where) {
    for (const jit::Node* node : where->nodes()) {
      if (node->kind() == c10::prim::GetAttr) {
        const auto object = value_of(node->input(0));
        if (object.isObject()) {
          inside[node->output()] = object.toObject()->getAttr(node->s(c10::attr::name));
          continue;
        }
      }
      const std::string name = node->kind().toUnqualString();
      for (const jit::Value* input : node->inputs()) {
        if (name != "size" && name != "len" && !asks_for_form(name)) {
          freeze_all(value_of(input), reason);
          freeze_objects(value_of(input), reason);
        }
      }
      for (const jit::Block* nested : node->blocks()) {
        visit(nested);
      }
    }
    for (const jit::Value* output : where->outputs()) {
      freeze_all(value_of(output), reason);
    }
  };
  visit(block);
}

}  // namespace actswap
