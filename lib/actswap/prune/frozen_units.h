// Which units stay, although the run of forward would let them go.
#pragma once

#include <actswap/prune/labelled_run.h>

#include <torch/script.h>

#include <set>
#include <string>

namespace actswap {

struct FrozenUnits {
  /// Functions that several modules share and in whose code numbers of units are written: inlined,
  /// they hold up no unit.
  std::set<std::string> functions = {};
  /// Places of numbers that differ each time the code runs.
  std::set<Place> unwritable = {};
};

/// Freezes the labels of units that methods read which forward does not call, of units that lie in
/// several dimensions of a tensor at once, and of units whose number stands in code where it cannot
/// be written.
/// @param module that the run is of
FrozenUnits freeze_units(LabelledRun& run, const torch::jit::Module& module);

}  // namespace actswap
