#include <actswap/calibrate/program_tensors.h>
#include <actswap/graph/model.h>
#include <actswap/prune/size_model.h>

#include <torch/script.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>

namespace actswap {

namespace {

using Costs = std::map<std::string, double>;  // of each element, by the path of the tensor

// @param of_values for each unit of a group
SizeModel model_of(const torch::jit::Module& module, const Units& units,
                   const std::vector<bool>& is_free, Costs& costs,
                   const std::vector<double>& of_values) {
  std::set<const void*> parameters;
  for (const auto& parameter : distinct_parameters(module)) {
    parameters.insert(parameter.const_data_ptr());
  }
  SizeModel model;
  std::map<const void*, std::size_t> known;  // by memory: one tensor may have two paths
  std::vector<bool> is_prunable;
  for (std::size_t g = 0; g < units.groups.size(); ++g) {
    const auto& group = units.groups[g];
    for (const auto& slice : group.slices) {
      const auto tensor = tensor_at(module, slice.tensor);
      const auto [found, is_new] = known.emplace(tensor.const_data_ptr(), model.tensors.size());
      if (is_new) {
        SizedTensor sized = {.multiplications = costs[slice.tensor],
                             .is_parameter = parameters.contains(tensor.const_data_ptr())};
        for (const auto size : tensor.sizes()) {
          sized.dimensions.push_back({.fixed = static_cast<double>(size)});
        }
        model.tensors.push_back(std::move(sized));
        is_prunable.push_back(false);
      }
      double entries = 0.0;
      for (const auto& of_unit : slice.entries) {
        entries += static_cast<double>(of_unit.size());
      }
      auto& dimension =
          model.tensors[found->second].dimensions.at(static_cast<std::size_t>(slice.dim));
      dimension.fixed -= entries;
      dimension.units.push_back({.group = g, .width = entries / static_cast<double>(group.count)});
      is_prunable[found->second] = is_prunable[found->second] || is_free[g];
    }
  }
  std::vector<std::int64_t> all;
  all.reserve(units.groups.size());
  for (const auto& group : units.groups) {
    all.push_back(group.count);
  }
  std::vector<SizedTensor> prunable;
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    if (is_prunable[i]) {
      prunable.push_back(std::move(model.tensors[i]));
    }
  }
  model.tensors = std::move(prunable);
  model.other_parameters = static_cast<double>(parameter_count(module)) - model.parameters(all);
  for (std::size_t g = 0; g < units.groups.size(); ++g) {
    if (is_free[g] && of_values[g] > 0.0) {
      model.tensors.push_back({.dimensions = {{.units = {{.group = g}}}},
                               .multiplications = of_values[g],
                               .is_parameter = false});
    }
  }
  return model;
}

}  // namespace

SizeModel size_model(const torch::jit::Module& module, const Units& units,
                     const std::vector<bool>& is_free) {
  Costs uses;
  for (const auto& layer : units.layers) {
    uses[layer.tensor] += layer.uses;
  }
  std::vector<double> of_values;
  of_values.reserve(units.groups.size());
  for (const auto& group : units.groups) {
    of_values.push_back(group.value_multiplications);
  }
  return model_of(module, units, is_free, uses, of_values);
}

SizeModel time_model(const torch::jit::Module& module, const Units& units,
                     const std::vector<bool>& is_free,
                     const std::unordered_map<const void*, double>& milliseconds) {
  Costs times;
  for (const auto& group : units.groups) {
    for (const auto& slice : group.slices) {
      const auto tensor = tensor_at(module, slice.tensor);
      const auto found = milliseconds.find(tensor.storage().data());
      if (found != milliseconds.end()) {
        times[slice.tensor] = found->second / static_cast<double>(tensor.numel());
      }
    }
  }
  return model_of(module, units, is_free, times, std::vector<double>(units.groups.size(), 0.0));
}

}  // namespace actswap
