#include <actswap/base/error.h>
#include <actswap/calibrate/program_tensors.h>
#include <actswap/graph/reload.h>
#include <actswap/graph/specialise.h>
#include <actswap/graph/walk.h>
#include <actswap/prune/inline_functions.h>
#include <actswap/prune/units.h>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <unordered_map>

namespace actswap {

namespace jit = torch::jit;

namespace {

void check(const Units& units, const KeptUnits& keep) {
  if (keep.size() != units.groups.size()) {
    throw UsageError("Expected a choice for each of " + std::to_string(units.groups.size()) +
                     " groups of units, but got " + std::to_string(keep.size()));
  }
  for (std::size_t i = 0; i < keep.size(); ++i) {
    const auto& group = units.groups[i];
    if (keep[i].size() != static_cast<std::size_t>(group.count)) {
      throw UsageError("Expected a choice for each of the " + std::to_string(group.count) +
                       " units of " + group.name + ", but got " + std::to_string(keep[i].size()));
    }
    if (std::none_of(keep[i].begin(), keep[i].end(), [](bool stays) { return stays; })) {
      throw UsageError("Expected at least one unit of " + group.name + " to stay, but all go");
    }
  }
}

// By tensor and dimension, ascending.
using Removed = std::map<std::string, std::map<std::int64_t, std::set<std::int64_t>>>;

Removed removed_entries(const Units& units, const KeptUnits& keep) {
  Removed removed;
  for (std::size_t i = 0; i < keep.size(); ++i) {
    for (const auto& slice : units.groups[i].slices) {
      for (std::size_t j = 0; j < keep[i].size(); ++j) {
        if (!keep[i][j]) {
          removed[slice.tensor][slice.dim].insert(slice.entries[j].begin(), slice.entries[j].end());
        }
      }
    }
  }
  return removed;
}

torch::Tensor without(const torch::Tensor& tensor,
                      const std::map<std::int64_t, std::set<std::int64_t>>& removed) {
  auto smaller = tensor.detach();
  for (const auto& [dim, entries] : removed) {
    std::vector<std::int64_t> kept;
    for (std::int64_t i = 0; i < tensor.size(dim); ++i) {
      if (!entries.contains(i)) {
        kept.push_back(i);
      }
    }
    smaller = smaller.index_select(dim, torch::tensor(kept, torch::kLong));
  }
  return smaller.contiguous().set_requires_grad(tensor.requires_grad());
}

// In all places where the module has the tensor.
void replace_tensors(const jit::Module& root, const Removed& removed) {
  std::unordered_map<const c10::TensorImpl*, torch::Tensor> smaller;
  std::vector<torch::Tensor> alive;
  for (const auto& [path, entries] : removed) {
    alive.push_back(tensor_at(root, path));
    smaller.emplace(alive.back().unsafeGetTensorImpl(), without(alive.back(), entries));
  }
  for (const auto& entry : distinct_modules(root)) {
    const auto object = entry.module._ivalue();
    for (std::size_t i = 0; i < object->slots().size(); ++i) {
      const auto& value = object->getSlot(i);
      if (value.isTensor()) {
        const auto found = smaller.find(value.toTensor().unsafeGetTensorImpl());
        if (found != smaller.end()) {
          object->setSlot(i, found->second);
        }
      }
    }
  }
}

struct Change {
  std::string method;
  std::size_t node = 0;
  std::size_t input = 0;
  std::int64_t element = -1;
  std::int64_t number = 0;

  std::string label() const {
    return method + "/" + std::to_string(node) + "/" + std::to_string(input) + "/" +
           std::to_string(element) + "=" + std::to_string(number) + ";";
  }
};

std::map<std::string, std::vector<Change>> changes_of_code(const Units& units,
                                                           const KeptUnits& keep) {
  std::map<std::string, std::vector<Change>> changes;
  for (const auto& count : units.counts) {
    Change change{count.method, count.node, count.input, count.element, 0};
    for (const auto& unit : count.counted) {
      change.number +=
          unit.group < 0 ||
                  keep[static_cast<std::size_t>(unit.group)][static_cast<std::size_t>(unit.unit)]
              ? 1
              : 0;
    }
    changes[count.object].push_back(std::move(change));
  }
  return changes;
}

// The contents of a list that is not built from separate numbers: a constant, or an attribute.
std::vector<std::int64_t> list_of(const jit::Value* list, const jit::Module& owner) {
  if (const auto constant = jit::toIValue(const_cast<jit::Value*>(list))) {
    return constant->toIntVector();
  }
  const auto* object =
      list->node()->kind() == c10::prim::GetAttr
          ? Bindings(owner._ivalue().get(), *const_cast<jit::Graph*>(list->owningGraph()))
                .object_of(list->node()->input(0))
          : nullptr;
  if (object == nullptr) {
    throw UsageError("Expected a list of sizes that is written in the code, but it is computed");
  }
  return object->getAttr(list->node()->s(c10::attr::name)).toIntVector();
}

void write(jit::Node* node, const Change& change, const jit::Module& owner) {
  const jit::WithInsertPoint guard(node);
  auto& graph = *node->owningGraph();
  c10::IValue value = change.number;
  if (change.element >= 0) {
    auto numbers = list_of(node->input(change.input), owner);
    numbers.at(static_cast<std::size_t>(change.element)) = change.number;
    value = numbers;
  } else if (node->input(change.input)->type()->isSubtypeOf(*c10::TensorType::get())) {
    value = torch::tensor(change.number);  // of a trace
  }
  node->replaceInput(change.input, graph.insertConstant(value));
}

void change_code(const jit::Module& root,
                 const std::map<std::string, std::vector<Change>>& changes) {
  std::set<const c10::ClassType*> done;
  for (const auto& [path, numbers] : changes) {
    const auto module = module_at(root, path);
    if (!done.insert(module.type().get()).second) {
      continue;  // it belongs to another object, for which it changes in the same way
    }
    std::map<std::string, std::vector<jit::Node*>> nodes;
    for (const auto& change : numbers) {
      auto& found = nodes[change.method];
      if (found.empty()) {
        auto& code = *jit::toGraphFunction(module.get_method(change.method).function()).graph();
        for_each_node(code.block(), [&](jit::Node* node) { found.push_back(node); });
      }
      write(found.at(change.node), change, module);
    }
  }
}

}  // namespace

void leave_whole(Units& units, std::size_t group, const std::string& reason) {
  units.rest.push_back({units.groups[group].name, reason});
  units.groups.erase(units.groups.begin() + static_cast<std::ptrdiff_t>(group));
  const auto number = static_cast<std::int64_t>(group);
  for (auto& count : units.counts) {
    for (auto& unit : count.counted) {
      unit = unit.group == number ? CountInCode::Unit{} : unit;
      unit.group -= unit.group > number ? 1 : 0;
    }
  }
}

KeptUnits keep_all(const Units& units) {
  KeptUnits keep;
  keep.reserve(units.groups.size());
  for (const auto& group : units.groups) {
    keep.emplace_back(static_cast<std::size_t>(group.count), true);
  }
  return keep;
}

jit::Module cut(const jit::Module& module, const Units& units, const KeptUnits& keep) {
  check(units, keep);
  const torch::NoGradGuard without_gradients;
  auto edited = inline_functions(module, units.inlined);
  const auto changes = changes_of_code(units, keep);
  ObjectLabels labels;
  for (const auto& [path, numbers] : changes) {
    auto& label = labels[module_at(edited, path)._ivalue().get()];
    for (const auto& change : numbers) {
      label += change.label();
    }
  }
  edited = specialise(edited, labels);
  change_code(edited, changes);
  replace_tensors(edited, removed_entries(units, keep));
  return recompile(edited);
}

void silence(const jit::Module& module, const Units& units, const KeptUnits& keep) {
  check(units, keep);
  const torch::NoGradGuard without_gradients;
  for (std::size_t i = 0; i < keep.size(); ++i) {
    for (const auto& slice : units.groups[i].slices) {
      std::vector<std::int64_t> removed;
      for (std::size_t j = 0; j < keep[i].size(); ++j) {
        if (!keep[i][j]) {
          removed.insert(removed.end(), slice.entries[j].begin(), slice.entries[j].end());
        }
      }
      if (slice.role == SliceRole::input && !removed.empty()) {
        tensor_at(module, slice.tensor)
            .index_fill_(slice.dim, torch::tensor(removed, torch::kLong), 0);
      }
    }
  }
}

Cost cost(const Units& units, const KeptUnits& keep) {
  check(units, keep);
  const auto removed = removed_entries(units, keep);
  Cost total{.multiplications = units.value_multiplications};
  for (const auto* tensors : {&units.layers, &units.others}) {
    for (const auto& each : *tensors) {
      auto sizes = each.sizes;
      const auto found = removed.find(each.tensor);
      if (found != removed.end()) {
        for (const auto& [dim, entries] : found->second) {
          sizes[static_cast<std::size_t>(dim)] -= static_cast<std::int64_t>(entries.size());
        }
      }
      const auto entries = static_cast<double>(c10::multiply_integers(sizes));
      total.multiplications += each.uses * entries;
      total.parameters += entries;
    }
  }
  for (std::size_t i = 0; i < keep.size(); ++i) {
    total.multiplications -= units.groups[i].value_multiplications *
                             static_cast<double>(std::count(keep[i].begin(), keep[i].end(), false));
  }
  return total;
}

bool fold_into_bias(const jit::Module& module, const Units& units, const UnitSlice& input,
                    torch::Tensor bias, const std::vector<std::int64_t>& entries,
                    const torch::Tensor& values) {
  const torch::NoGradGuard without_gradients;
  const auto used = std::count_if(units.layers.begin(), units.layers.end(),
                                  [&](const auto& each) { return each.tensor == input.tensor; });
  const auto weight = tensor_at(module, input.tensor);
  if (used != 1 || !bias.defined() || weight.dim() < 2) {
    return false;
  }
  auto columns = weight.index_select(input.dim, torch::tensor(entries, torch::kLong))
                     .movedim(input.dim, 0)
                     .to(torch::kDouble);
  if (columns.dim() > 2) {
    columns = columns.flatten(2).sum(2);
  }
  if (bias.dim() != 1 || bias.numel() != columns.size(1)) {
    return false;
  }
  bias.add_(torch::matmul(values.to(torch::kDouble), columns).to(bias.dtype()));
  return true;
}

}  // namespace actswap
