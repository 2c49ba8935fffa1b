// Which units go: those that a budget asks for, at the least loss.
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

/// For a latency the queue goes by the milliseconds that the layers take; the share of these is
/// bisected, and what each leaves is cut and measured.
/// @param surveyed its eliminations are moved to what is chosen
/// @throws UsageError where there is nothing to prune, or the budget cannot be met
Choice choose_units(const torch::jit::Module& module, const Units& units,
                    std::vector<SurveyedGroup>& surveyed, const PruneOptions& options);

}  // namespace actswap
