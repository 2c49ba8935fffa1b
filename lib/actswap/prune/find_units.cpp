#include <actswap/base/libtorch_error.h>
#include <actswap/graph/kept_state.h>
#include <actswap/prune/counted_labels.h>
#include <actswap/prune/frozen_units.h>
#include <actswap/prune/inline_functions.h>
#include <actswap/prune/kept_units.h>
#include <actswap/prune/labelled_run.h>
#include <actswap/prune/other_inputs.h>
#include <actswap/prune/trial.h>
#include <actswap/prune/units.h>
#include <actswap/run/model_run.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace actswap {

namespace {

std::string module_path(const std::string& tensor) {
  const auto dot = tensor.rfind('.');
  return dot == std::string::npos ? tensor : tensor.substr(0, dot);
}

// Of a tensor, of a dimension.
using Side = std::pair<std::size_t, std::int64_t>;

class UnitFinder {
 public:
  explicit UnitFinder(LabelledRun& run) : run_(run), labels_(run.labels()), counted_(run) {}

  /// @param unwritable places of numbers that nobody can change
  Units find(const std::set<Place>& unwritable) {
    collect_units();
    collect_groups();
    collect_rest();
    collect_costs();
    collect_counts(unwritable);
    return std::move(found_);
  }

 private:
  struct Unit {
    std::map<Side, std::vector<std::int64_t>> entries;
    double value_multiplications = 0.0;
  };

  SliceRole role_of(const Side& side) const {
    const auto& roles = run_.sources()[side.first].roles;
    const auto found = roles.find(side.second);
    return found == roles.end() ? SliceRole::along : found->second;
  }

  void collect_units() {
    const auto& sources = run_.sources();
    for (std::size_t i = 0; i < sources.size(); ++i) {
      for (std::size_t d = 0; d < sources[i].first.size(); ++d) {
        const auto dim = static_cast<std::int64_t>(d);
        const auto count = sources[i].first[d] == kFixed ? 0 : sources[i].tensor.size(dim);
        for (std::int64_t j = 0; j < count; ++j) {
          const auto root = labels_.root(sources[i].first[d] + j);
          if (!labels_.is_frozen(root)) {
            units_[root].entries[{i, dim}].push_back(j);
          }
        }
      }
    }
    for (const auto& cost : run_.value_costs()) {
      const auto unit = units_.find(labels_.root(cost.label));
      if (unit != units_.end()) {
        unit->second.value_multiplications += cost.multiplications;
      }
    }
  }

  void collect_groups() {
    // With how many entries each unit has there.
    using Sides = std::vector<std::pair<Side, std::size_t>>;
    std::map<Sides, std::vector<Label>> groups;
    std::vector<Sides> order;
    for (const auto& [root, unit] : units_) {
      Sides sides;
      bool is_read = false;
      bool is_computed = false;
      for (const auto& [side, entries] : unit.entries) {
        sides.emplace_back(side, entries.size());
        is_read = is_read || role_of(side) == SliceRole::input;
        is_computed = is_computed || role_of(side) == SliceRole::output;
      }
      if (!is_read) {
        if (is_computed) {
          labels_.freeze(root, "no layer reads it");
        }
        continue;
      }
      if (!is_computed) {
        continue;
      }
      if (!groups.contains(sides)) {
        order.push_back(sides);
      }
      groups[sides].push_back(root);
    }
    for (const auto& sides : order) {
      const auto& roots = groups[sides];
      if (roots.size() < 2) {
        labels_.freeze(roots[0], "its channels can only be removed all together");
        continue;
      }
      add_group(sides, roots);
    }
  }

  void add_group(const std::vector<std::pair<Side, std::size_t>>& sides,
                 const std::vector<Label>& roots) {
    UnitGroup group{.count = static_cast<std::int64_t>(roots.size())};
    std::vector<std::string> layers;
    for (const auto& [side, count] : sides) {
      const auto& source = run_.sources()[side.first];
      UnitSlice slice{.layer = module_path(source.path),
                      .tensor = source.path,
                      .dim = side.second,
                      .role = role_of(side)};
      for (const auto root : roots) {
        slice.entries.push_back(units_[root].entries.at(side));
      }
      if (slice.role == SliceRole::output &&
          std::find(layers.begin(), layers.end(), slice.layer) == layers.end()) {
        layers.push_back(slice.layer);
      }
      const double share =
          static_cast<double>(count) / static_cast<double>(source.tensor.size(side.second));
      const auto entries = share * static_cast<double>(source.tensor.numel());
      group.multiplications += source.is_parameter ? source.uses * entries : 0.0;
      group.parameters += source.is_parameter ? entries : 0.0;
      group.slices.push_back(std::move(slice));
    }
    group.value_multiplications = units_[roots[0]].value_multiplications;
    group.multiplications += group.value_multiplications;
    const auto others = layers.size() - 1;
    group.name = layers[0] + (others == 0   ? ""
                              : others == 1 ? " and " + layers[1]
                                            : " and " + std::to_string(others) + " others");
    for (std::size_t i = 0; i < roots.size(); ++i) {
      places_[roots[i]] = {static_cast<std::int64_t>(found_.groups.size()),
                           static_cast<std::int64_t>(i)};
    }
    found_.groups.push_back(std::move(group));
  }

  void collect_rest() {
    for (const auto& source : run_.sources()) {
      if (source.roles.empty() && source.is_parameter && !source.unknown.empty()) {
        add_once(module_path(source.path), source.unknown);
      }
      for (const auto& [dim, role] : source.roles) {
        const auto first = source.first.at(static_cast<std::size_t>(dim));
        std::int64_t kept = 0;
        std::string reason = "has one channel";
        const auto count = first == kFixed ? 0 : source.tensor.size(dim);
        for (std::int64_t i = 0; i < count; ++i) {
          if (labels_.is_frozen(first + i)) {
            reason = kept++ == 0 ? labels_.reason(first + i) : reason;
          }
        }
        if (role == SliceRole::output && (kept > 0 || count == 0)) {
          const auto some = kept < count ? std::to_string(kept) + " of its " +
                                               std::to_string(count) + " channels stay: "
                                         : "";
          found_.rest.push_back({module_path(source.path), some + reason});
        }
      }
    }
  }

  // The parameters of one layer next to each other may stay for one reason.
  void add_once(const std::string& layer, const std::string& reason) {
    auto& rest = found_.rest;
    if (rest.empty() || rest.back().name != layer || rest.back().reason != reason) {
      rest.push_back({layer, reason});
    }
  }

  void collect_costs() {
    for (const auto& source : run_.sources()) {
      const LayerCost cost{source.path, source.tensor.sizes().vec(), source.uses};
      if (!source.is_parameter) {
        found_.value_multiplications += source.uses * static_cast<double>(source.tensor.numel());
      } else if (source.uses > 0.0) {
        found_.layers.push_back(cost);
      } else {
        found_.others.push_back(cost);
      }
    }
    for (const auto& cost : run_.value_costs()) {
      found_.value_multiplications += cost.multiplications;
    }
    found_.value_multiplications += run_.value_multiplications();
  }

  void collect_counts(const std::set<Place>& unwritable) {
    std::set<Place> done;
    for (const auto& count : run_.counts()) {
      const auto labels = counted_.of(count);
      if (!count.place || unwritable.contains(*count.place) || counted_.follow(count, labels) ||
          !done.insert(*count.place).second) {
        continue;
      }
      CountInCode written{.object = count.place->object,
                          .method = count.place->method,
                          .node = count.place->node,
                          .input = count.place->input,
                          .element = count.place->element};
      bool changes = false;
      for (const auto label : labels) {
        const auto place = places_.find(label);
        written.counted.push_back(place == places_.end() ? CountInCode::Unit{} : place->second);
        changes = changes || place != places_.end();
      }
      if (changes || count.is_computed) {  // from sizes that may change, though it may not
        found_.counts.push_back(std::move(written));
      }
    }
  }

  LabelledRun& run_;
  Labels& labels_;
  CountedLabels counted_;
  std::map<Label, Unit> units_;
  std::map<Label, CountInCode::Unit> places_;
  Units found_;
};

// Code that cannot be run node by node.
Units unfollowed(const LabelledRun& run, const std::string& cause) {
  Units units;
  for (const auto& source : run.sources()) {
    if (source.is_parameter) {
      units.others.push_back({source.path, source.tensor.sizes().vec()});
      if (source.tensor.dim() > 1) {
        units.rest.push_back(
            {module_path(source.path), "the code of the model cannot be followed: " + cause});
      }
    }
  }
  return units;
}

// Runs on inputs of other sizes tell which numbers that the code computes from sizes of the inputs
// are always the same.
void settle_counts(LabelledRun& run, const torch::jit::Module& module,
                   const std::vector<std::vector<torch::Tensor>>& sizes) {
  const KeptState kept(module);
  std::map<Place, std::set<std::int64_t>> numbers;
  for (std::size_t i = 1; i < sizes.size(); ++i) {
    kept.restore();
    try {
      LabelledRun other(module);
      other.run(sizes[i]);
      for (const auto& [place, found] : other.numbers_by_inputs()) {
        numbers[place].insert(found.begin(), found.end());
      }
    } catch (const std::exception&) {  // its code runs there, but cannot be followed
    }
  }
  run.settle_counts(numbers);
}

}  // namespace

Units find_unconfirmed_units(const torch::jit::Module& module,
                             const std::vector<torch::Tensor>& inputs) {
  Units units;
  std::vector<std::vector<torch::Tensor>> sizes;
  std::set<std::string> inlined;
  for (bool is_done = false; !is_done;) {
    auto copy = inline_functions(module, inlined);
    copy.eval();
    const KeptState kept(copy);
    LabelledRun run(copy);
    try {
      run.run(inputs);
    } catch (const std::exception& error) {
      kept.restore();
      ModelRun(copy, {.optimizes_graphs = false})(inputs);  // throws where the model does not run
      return unfollowed(run, libtorch_cause(error.what()));
    }
    if (run.counts_by_inputs()) {
      kept.restore();
      sizes = sizes.empty() ? with_other_sizes(module, inputs) : sizes;
      settle_counts(run, copy, sizes);
    }
    const auto frozen = freeze_units(run, copy);
    units = UnitFinder(run).find(frozen.unwritable);
    units.inlined = inlined;
    const auto known = inlined.size();
    inlined.insert(frozen.functions.begin(), frozen.functions.end());
    is_done = inlined.size() == known;
  }
  units.inputs = std::move(sizes);
  return units;
}

Units find_units(const torch::jit::Module& module, const std::vector<torch::Tensor>& inputs) {
  auto units = find_unconfirmed_units(module, inputs);
  if (units.inputs.empty()) {
    units.inputs = with_other_sizes(module, inputs);
  }
  add_other_forms(module, units.inputs);
  confirm(module, units);
  return units;
}

}  // namespace actswap
