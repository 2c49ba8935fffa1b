#include <actswap/calibrate/program_tensors.h>
#include <actswap/prune/unit_readers.h>

namespace actswap {

KeptEntries tensors_of_readers(const Units& units) {
  KeptEntries found;
  for (const auto& group : units.groups) {
    for (const auto& slice : group.slices) {
      if (slice.role == SliceRole::input) {
        found.readers.insert(slice.tensor);
      }
    }
  }
  return found;
}

UnitReaders find_readers(const Units& units, const torch::jit::Module& module,
                         const std::vector<Layer>& layers) {
  std::map<const void*, std::size_t> layer_of;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    layer_of.emplace(layers[i].weight.const_data_ptr(), i);
  }
  UnitReaders found{.of_layer = {},
                    .counts = std::vector<std::size_t>(units.groups.size(), 0),
                    .obstacles = std::vector<std::string>(units.groups.size())};
  for (std::size_t g = 0; g < units.groups.size(); ++g) {
    const auto& slices = units.groups[g].slices;
    for (std::size_t s = 0; s < slices.size(); ++s) {
      const auto& slice = slices[s];
      if (slice.role != SliceRole::input) {
        continue;
      }
      const auto tensor = tensor_at(module, slice.tensor);
      const auto layer = tensor.defined() ? layer_of.find(tensor.const_data_ptr()) : layer_of.end();
      if (layer == layer_of.end() || layers[layer->second].geometry.groups != 1 ||
          layers[layer->second].weight.size(1) != tensor.size(slice.dim)) {
        found.obstacles[g] = slice.layer + " reads its units and cannot be solved anew";
        continue;
      }
      found.of_layer[layer->second].push_back({g, s});
      ++found.counts[g];
    }
    if (found.counts[g] == 0 && found.obstacles[g].empty()) {
      found.obstacles[g] = "no layer reads its units";
    }
  }
  return found;
}

}  // namespace actswap
