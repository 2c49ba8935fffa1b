#include <actswap/graph/reload.h>
#include <actswap/graph/walk.h>
#include <actswap/prune/trial.h>
#include <actswap/run/compare.h>
#include <actswap/run/model_run.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <ranges>
#include <string>
#include <utility>

namespace actswap {

namespace {

constexpr double kTolerance = 1e-3;  // of sums in another order
// With gradients on, too, where code asks whether they are and may take another branch then.
std::vector<ModelRunOptions> modes_of(const torch::jit::Module& module) {
  static const auto kQuestion = c10::Symbol::aten("is_grad_enabled");
  std::vector<ModelRunOptions> modes = {{.optimizes_graphs = false}};
  if (any_node(module, [](const auto* node) { return node->kind() == kQuestion; })) {
    modes.push_back({.optimizes_graphs = false, .has_gradients = true});
  }
  return modes;
}

// Every second unit of each group goes.
KeptUnits every_second(const Units& units) {
  auto keep = keep_all(units);
  for (auto& group : keep) {
    for (std::size_t i = 0; i < group.size(); i += 2) {
      group[i] = false;
    }
  }
  return keep;
}

// Some units go, more here and fewer there, so that code which splits a group evenly fails.
KeptUnits uneven(const Units& units) {
  std::mt19937 random(0);
  auto keep = keep_all(units);
  for (auto& group : keep) {
    for (std::size_t i = 0; i < group.size(); ++i) {
      group[i] = random() % 3 != 0;
    }
    group.front() = false;
    group.back() = true;
  }
  return keep;
}

class Trial {
 public:
  Trial(const torch::jit::Module& module, const Units& units, std::vector<KeptUnits> choices)
      : module_(module), units_(units), choices_(std::move(choices)), modes_(modes_of(module)) {}

  // Halves the groups until those that go wrong stand alone.
  void run(const std::vector<std::size_t>& groups) {
    const auto reason = groups.empty() ? "" : failure(groups);
    if (reason.empty()) {
      return;
    }
    if (groups.size() == 1) {
      wrong_.emplace_back(groups[0], reason);
      return;
    }
    const auto half = groups.begin() + static_cast<std::ptrdiff_t>(groups.size() / 2);
    run({groups.begin(), half});
    run({half, groups.end()});
  }

  const std::vector<std::pair<std::size_t, std::string>>& wrong() const { return wrong_; }

 private:
  std::string failure(const std::vector<std::size_t>& groups) const {
    for (const auto& choice : choices_) {
      auto keep = keep_all(units_);
      for (const auto group : groups) {
        keep[group] = choice[group];
      }
      const auto silent = reload(module_);
      silence(silent, units_, keep);
      try {
        const auto smaller = cut(module_, units_, keep);
        if (differ(silent, smaller)) {
          return "a trial without some of its channels gave other outputs";
        }
      } catch (const std::exception& error) {
        const std::string what = error.what();
        return "a trial without some of its channels failed: " + what.substr(0, what.find('\n'));
      }
    }
    return "";
  }

  bool differ(const torch::jit::Module& silent, const torch::jit::Module& smaller) const {
    for (const auto& mode : modes_) {
      ModelRun run(silent, mode);
      ModelRun run_smaller(smaller, mode);
      for (const auto& inputs : units_.inputs) {
        if (compare_outputs(run(inputs), run_smaller(inputs), kTolerance).differs) {
          return true;
        }
      }
    }
    return false;
  }

  const torch::jit::Module& module_;
  const Units& units_;
  std::vector<KeptUnits> choices_;
  std::vector<ModelRunOptions> modes_;
  std::vector<std::pair<std::size_t, std::string>> wrong_;
};

std::vector<std::size_t> all_groups(const Units& units) {
  std::vector<std::size_t> groups(units.groups.size());
  std::iota(groups.begin(), groups.end(), std::size_t{0});
  return groups;
}

}  // namespace

void confirm(const torch::jit::Module& module, Units& units) {
  Trial trial(module, units, {every_second(units), uneven(units)});
  trial.run(all_groups(units));
  for (const auto& [group, reason] : std::views::reverse(trial.wrong())) {
    leave_whole(units, group, reason);
  }
}

std::vector<std::pair<std::size_t, std::string>> wrong_groups(const torch::jit::Module& module,
                                                              const Units& units,
                                                              const KeptUnits& keep) {
  Trial trial(module, units, {keep});
  trial.run(all_groups(units));
  return trial.wrong();
}

}  // namespace actswap
