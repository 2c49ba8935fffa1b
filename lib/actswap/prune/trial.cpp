#include <actswap/graph/reload.h>
#include <actswap/prune/trial.h>
#include <actswap/run/compare.h>
#include <actswap/run/model_run.h>

#include <algorithm>
#include <numeric>
#include <ranges>
#include <string>

namespace actswap {

namespace {

constexpr double kTolerance = 1e-3;  // of sums in another order

// Every second unit of these groups goes.
KeptUnits every_second(const Units& units, const std::vector<std::size_t>& groups) {
  auto keep = keep_all(units);
  for (const auto group : groups) {
    for (std::size_t i = 0; i < keep[group].size(); i += 2) {
      keep[group][i] = false;
    }
  }
  return keep;
}

class Trial {
 public:
  Trial(const torch::jit::Module& module, const Units& units,
        const std::vector<torch::Tensor>& inputs)
      : module_(module), units_(units), inputs_(inputs) {}

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
    const auto keep = every_second(units_, groups);
    const ModelRunOptions plainly{.optimizes_graphs = false};
    const auto silent = reload(module_);
    silence(silent, units_, keep);
    const auto expected = ModelRun(silent, plainly)(inputs_);
    try {
      const auto found = ModelRun(cut(module_, units_, keep), plainly)(inputs_);
      const auto comparison = compare_outputs(expected, found, kTolerance);
      return comparison.differs ? "a trial without some of its channels gave other outputs" : "";
    } catch (const std::exception& error) {
      const std::string what = error.what();
      return "a trial without some of its channels failed: " + what.substr(0, what.find('\n'));
    }
  }

  const torch::jit::Module& module_;
  const Units& units_;
  const std::vector<torch::Tensor>& inputs_;
  std::vector<std::pair<std::size_t, std::string>> wrong_;
};

// The groups behind it move up, and its units become entries that stay.
void take_out(Units& units, std::size_t group, const std::string& reason) {
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

}  // namespace

void confirm(const torch::jit::Module& module, Units& units,
             const std::vector<torch::Tensor>& inputs) {
  std::vector<std::size_t> groups(units.groups.size());
  std::iota(groups.begin(), groups.end(), std::size_t{0});
  Trial trial(module, units, inputs);
  trial.run(groups);
  for (const auto& [group, reason] : std::views::reverse(trial.wrong())) {
    take_out(units, group, reason);
  }
}

}  // namespace actswap
