// The layers that read units: what is lost with a unit is what they can no longer make of the rest.
#pragma once

#include <actswap/calibrate/kept_entries.h>
#include <actswap/calibrate/layers.h>
#include <actswap/prune/units.h>

#include <torch/script.h>

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace actswap {

/// A layer reads units of a group by this slice.
struct UnitReading {
  std::size_t group;
  std::size_t slice;
};

struct UnitReaders {
  std::map<std::size_t, std::vector<UnitReading>> of_layer;  ///< key: which of the layers
  std::vector<std::size_t> counts;     ///< of each group, of layers that can be solved anew
  std::vector<std::string> obstacles;  ///< of each group: why its units stay; empty: none
};

/// The tensors by which units are read, whose layers `find_neighbours` is then to find.
KeptEntries tensors_of_readers(const Units& units);

/// @param module of the units
/// @param layers of a program of the module, among them those of `tensors_of_readers`
UnitReaders find_readers(const Units& units, const torch::jit::Module& module,
                         const std::vector<Layer>& layers);

}  // namespace actswap
