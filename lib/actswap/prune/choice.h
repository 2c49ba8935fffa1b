// Chooses the units that go: enough for the budget, at the least loss.
#pragma once

#include <actswap/prune/prune.h>
#include <actswap/prune/survey.h>
#include <actswap/prune/units.h>

#include <torch/script.h>

#include <cstdint>
#include <vector>

namespace actswap {

struct Choice {
  KeptUnits keep;
  std::vector<double> loss;             ///< of each group
  std::vector<std::int64_t> exchanges;  ///< that were made in each group
};

/// For a latency the queue counts the milliseconds that the layers take. A bisection finds the
/// share of them to remove; each trial cuts a model and measures it.
/// @param surveyed its eliminations are moved to the chosen units
/// @throws UsageError if there is nothing to prune, or no choice meets the budget
Choice choose_units(const torch::jit::Module& module, const Units& units,
                    std::vector<SurveyedGroup>& surveyed, const PruneOptions& options);

}  // namespace actswap
