// What each site of a model costs.
#pragma once

#include <actswap/base/export.h>
#include <actswap/graph/model.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace actswap {

struct SiteCost {
  std::vector<std::int64_t> shape;  ///< of the activation's last input
  std::string dtype;                ///< "Float", "Double", "BFloat16", "Half"
  std::int64_t calls = 0;           ///< in one forward
  double milliseconds = 0.0;        ///< of all calls in one forward: the median over the rounds
  double share = 0.0;               ///< of the forward's time, in [0, 1]
};

/// The costs by site id; a site that the inputs do not reach has no entry. PyTorch's interpreter
/// runs the model in eval mode: in a runtime that fuses an activation into its neighbours it costs
/// less.
/// @param model is not changed
/// @param inputs of forward, as large as those it will get
/// @param rounds timed runs, after two that warm up; > 0
/// @throws UsageError where the model rejects the inputs.
ACTSWAP_API std::map<std::string, SiteCost> measure_sites(const Model& model,
                                                          const std::vector<torch::Tensor>& inputs,
                                                          int rounds = 9);

}  // namespace actswap
