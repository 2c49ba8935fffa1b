#include <actswap/base/clock.h>
#include <actswap/base/counted.h>
#include <actswap/base/error.h>
#include <actswap/calibrate/calibration_inputs.h>
#include <actswap/calibrate/memory_shares.h>
#include <actswap/graph/eval_mode.h>
#include <actswap/graph/kept_state.h>
#include <actswap/graph/plan.h>
#include <actswap/graph/retarget.h>
#include <actswap/prune/choice.h>
#include <actswap/prune/kept_units.h>
#include <actswap/prune/prune.h>
#include <actswap/prune/prune_steps.h>
#include <actswap/prune/survey.h>
#include <actswap/prune/trial.h>
#include <actswap/prune/unit_readers.h>

#include <torch/script.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace actswap {

namespace jit = torch::jit;

namespace {

// What the pruned module is compared with.
Retargeter original_of(const Retargeter& swap) {
  return {swap.original(), swap.plan(), Tensors::shared, BlendCode::stock,
          /*may_swap_nothing=*/true};
}

bool is_layer_of(const UnitGroup& group, const std::string& glob) {
  return std::ranges::any_of(group.slices, [&](const UnitSlice& slice) {
    return slice.role != SliceRole::along && glob_match(glob, slice.layer);
  });
}

// Adds constant units to the biases of their readers.
void fold_constants(const jit::Module& module, const Units& units,
                    const std::vector<SurveyedGroup>& surveyed, const KeptUnits& keep) {
  for (std::size_t g = 0; g < units.groups.size(); ++g) {
    for (const auto& constants : surveyed[g].constants) {
      const auto& slice = units.groups[g].slices[constants.slice];
      std::vector<std::int64_t> entries;
      std::vector<torch::Tensor> values;
      for (std::size_t i = 0; i < constants.units.size(); ++i) {
        const auto unit = static_cast<std::size_t>(constants.units[i]);
        if (!keep[g][unit]) {
          entries.insert(entries.end(), slice.entries[unit].begin(), slice.entries[unit].end());
          values.push_back(constants.values[i].flatten());
        }
      }
      if (!entries.empty()) {
        fold_into_bias(module, units, slice, constants.bias, entries, torch::cat(values));
      }
    }
  }
}

class Pruner {
 public:
  Pruner(Retargeter& swap, const PruneOptions& options, const CalibrationInputs& inputs,
         const PruneCallbacks& callbacks)
      : swap_(swap),
        options_(options),
        inputs_(inputs),
        callbacks_(callbacks),
        original_(original_of(swap)),
        units_(find_units(swap.module(), few_examples(swap.module(), inputs.batches.front()))),
        is_protected_(protected_groups(units_, options.keep)) {}

  Pruning run() {
    const auto begin = std::chrono::steady_clock::now();
    Pruning pruning = {.budget = options_.budget,
                       .keep = options_.keep,
                       .round = options_.round,
                       .stayed = units_.rest};
    auto surveyed = survey_units();
    const auto choice = choose_right_ones(surveyed);
    note(pruning, surveyed, choice);
    auto& module = swap_.module();
    pruning.kept = kept_entries(module, units_, choice.keep);
    fold_constants(module, units_, surveyed, choice.keep);
    swap_.replace(cut(module, units_, choice.keep));
    swap_.set_blend(1.0);
    surveyed.clear();
    pruning.seconds = seconds_since(begin);
    if (callbacks_.on_message) {
      callbacks_.on_message("pruned: " + summary(pruning));
    }
    return pruning;
  }

 private:
  std::vector<SurveyedGroup> survey_units() {
    const torch::NoGradGuard no_grad;
    const EvalMode eval(original_.module());
    const KeptState kept(swap_.module());  // what its code counts or stores is not the export's
    const KeptState kept_of_original(original_.module());
    Program program(swap_.module(), original_.module(), inputs_.batches);
    std::vector<std::int64_t> least;
    for (std::size_t g = 0; g < units_.groups.size(); ++g) {
      const auto count = units_.groups[g].count;
      least.push_back(is_protected_[g] ? count
                                       : std::clamp<std::int64_t>(options_.round, 1, count));
    }
    const auto& memory = options_.calibration.memory;
    const auto shares = share_out(memory, bytes_of(inputs_.batches));
    BothModels models(program, inputs_.batches, memory, callbacks_.refit.should_stop);
    return survey(units_, program, find_neighbours(program, tensors_of_readers(units_)), models,
                  least,
                  {.max_features = options_.calibration.max_features,
                   .memory = shares.regression,
                   .kept = shares.kept},
                  callbacks_.on_layer);
  }

  Choice choose(std::vector<SurveyedGroup>& surveyed) {
    for (std::size_t g = 0; g < surveyed.size(); ++g) {
      if (is_protected_[g]) {
        surveyed[g].obstacle = "kept, as was asked for (--prune-keep)";
      }
    }
    return choose_units(swap_.module(), units_, surveyed, options_);
  }

  // Groups whose trial fails stay whole, and the choice for the others begins anew.
  Choice choose_right_ones(std::vector<SurveyedGroup>& surveyed) {
    for (;;) {
      auto choice = choose(surveyed);
      const auto wrong = wrong_groups(swap_.module(), units_, choice.keep);
      if (wrong.empty()) {
        return choice;
      }
      for (const auto& [group, reason] : wrong) {
        surveyed[group].obstacle = reason;
      }
    }
  }

  void note(Pruning& pruning, const std::vector<SurveyedGroup>& surveyed, const Choice& choice) {
    for (std::size_t g = 0; g < surveyed.size(); ++g) {
      const auto& group = units_.groups[g];
      const auto& found = surveyed[g];
      if (!found.obstacle.empty()) {
        pruning.stayed.push_back({group.name, found.obstacle});
        continue;
      }
      const auto after = std::ranges::count(choice.keep[g], true);
      const auto gone = group.count - after;
      const auto dead = std::min(found.dead, gone);
      pruning.groups.push_back({.name = group.name,
                                .before = group.count,
                                .after = after,
                                .dead = dead,
                                .constant = std::min(found.constant, gone - dead),
                                .is_exact = found.is_exact,
                                .exchanges = choice.exchanges[g],
                                .loss = choice.loss[g]});
    }
    pruning.before = cost(units_, keep_all(units_));
    pruning.after = cost(units_, choice.keep);
  }

  Retargeter& swap_;
  const PruneOptions& options_;
  const CalibrationInputs& inputs_;
  const PruneCallbacks& callbacks_;
  Retargeter original_;
  Units units_;
  std::vector<bool> is_protected_;
};

}  // namespace

void PruneOptions::validate() const {
  budget.validate();
  calibration.validate();
  if (round < 0) {
    throw UsageError("Expected multiples of 1 unit or more to be kept (--prune-round), but got " +
                     std::to_string(round));
  }
}

std::vector<bool> protected_groups(const Units& units, const std::vector<std::string>& keep) {
  std::vector<bool> found(units.groups.size(), false);
  for (const auto& glob : keep) {
    bool has_matched = std::ranges::any_of(
        units.rest, [&](const Unprunable& rest) { return glob_match(glob, rest.name); });
    for (std::size_t g = 0; g < units.groups.size(); ++g) {
      if (is_layer_of(units.groups[g], glob)) {
        found[g] = has_matched = true;
      }
    }
    if (!has_matched) {
      std::string names;
      for (const auto& group : units.groups) {
        names += (names.empty() ? "" : ", ") + group.name;
      }
      throw UsageError("Expected a layer that matches '" + glob +
                       "' (--prune-keep), but none does; what can be pruned is in " +
                       (names.empty() ? "none" : names));
    }
  }
  return found;
}

std::string summary(const Pruning& pruning) {
  std::int64_t before = 0;
  std::int64_t after = 0;
  for (const auto& group : pruning.groups) {
    before += group.before;
    after += group.after;
  }
  const auto percent = [](double part, double whole) {
    return std::to_string(std::llround(100.0 * (1.0 - part / whole))) + " %";
  };
  return std::to_string(before - after) + " of " + counted(before, "unit") + " in " +
         counted(pruning.groups.size(), "group") + ", " +
         percent(pruning.after.multiplications, pruning.before.multiplications) +
         " of the multiplications, " +
         percent(pruning.after.parameters, pruning.before.parameters) + " of the parameters";
}

Units prunable_units(const Model& model, const std::vector<torch::Tensor>& inputs) {
  constexpr bool kMaySwapNothing = true;
  Retargeter swap(model, keep_activations(model), Tensors::shared, BlendCode::fused,
                  kMaySwapNothing);
  auto units = find_units(swap.module(), inputs);
  if (units.groups.empty()) {  // the code may be such that no program can be made of it
    return units;
  }
  const EvalMode eval(swap.module());
  const KeptState kept(swap.module());
  Program program(swap.module(), {inputs});
  const auto layers = find_neighbours(program, tensors_of_readers(units)).layers;
  const auto obstacles = find_readers(units, swap.module(), layers).obstacles;
  std::size_t group = 0;
  for (const auto& obstacle : obstacles) {
    if (obstacle.empty()) {
      ++group;
    } else {
      leave_whole(units, group, obstacle);
    }
  }
  return units;
}

void expect_kept_layers(const Model& model, const std::vector<torch::Tensor>& inputs,
                        const PruneOptions& options) {
  if (!options.keep.empty()) {
    protected_groups(prunable_units(model, inputs), options.keep);
  }
}

Pruning remove_units(Retargeter& swap, const Dataset& data, const PruneOptions& options,
                     std::uint64_t seed, const PruneCallbacks& callbacks) {
  options.validate();
  swap.set_blend(1.0);
  const EvalMode eval(swap.module());
  const auto inputs = calibration_inputs(swap.module(), data, options.calibration, seed);
  return Pruner(swap, options, inputs, callbacks).run();
}

void remove_again(Retargeter& swap, const KeptEntries& kept, const Dataset& data,
                  const PruneOptions& options, std::uint64_t seed) {
  swap.set_blend(1.0);
  const EvalMode eval(swap.module());
  const auto inputs = calibration_inputs(swap.module(), data, options.calibration, seed);
  const auto units =
      find_unconfirmed_units(swap.module(), few_examples(swap.module(), inputs.batches.front()));
  swap.replace(cut(swap.module(), units, units_of(swap.module(), units, kept)));
  swap.set_blend(1.0);
}

FadingUnits fade_units(Retargeter& swap, const jit::Module& full, const KeptEntries& kept,
                       const Dataset& data, const PruneOptions& options, std::uint64_t seed) {
  auto module = full;
  const EvalMode eval(module);
  const auto inputs = calibration_inputs(module, data, options.calibration, seed);
  FadingUnits fading(full, swap, kept, inputs.batches.front());
  swap.replace(full);
  return fading;
}

Calibration refit_units(Retargeter& swap, const KeptEntries& kept, const Dataset& data,
                        const PruneOptions& options, std::uint64_t seed,
                        const CalibrationCallbacks& callbacks) {
  const EvalMode eval(swap.module());
  const auto inputs = calibration_inputs(swap.module(), data, options.calibration, seed);
  return refit(swap.module(), original_of(swap).module(), kept, inputs, options.calibration,
               callbacks);
}

Pruning prune(Retargeter& swap, const Dataset& data, const PruneOptions& options,
              std::uint64_t seed, const PruneCallbacks& callbacks) {
  auto pruning = remove_units(swap, data, options, seed, callbacks);
  pruning.refit = refit_units(swap, pruning.kept, data, options, seed, callbacks.refit);
  return pruning;
}

}  // namespace actswap
