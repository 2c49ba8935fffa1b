// Tries whether a cut model computes what it should.
#pragma once

#include <actswap/prune/units.h>

#include <torch/script.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace actswap {

/// Cuts some units of each group out of a copy, in two ways, and compares it with a copy in which
/// they are silent, on all of the units' inputs. Groups for which the two differ become unprunable.
void confirm(const torch::jit::Module& module, Units& units);

/// The same for units that were chosen.
/// @return the groups for which the two differ, and how
std::vector<std::pair<std::size_t, std::string>> wrong_groups(const torch::jit::Module& module,
                                                              const Units& units,
                                                              const KeptUnits& keep);

}  // namespace actswap
