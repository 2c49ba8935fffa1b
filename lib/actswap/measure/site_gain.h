// What time each site's swap saves.
#pragma once

#include <actswap/base/export.h>
#include <actswap/graph/plan.h>
#include <actswap/measure/site_cost.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace actswap {

struct SiteGain {
  SiteCost cost;       ///< of the site as it is
  double ratio = 1.0;  ///< the target's time over the source's
  /// Of one forward, in milliseconds: share of the forward's time x latency x (1 - ratio). Negative
  /// where the target is slower.
  double milliseconds = 0.0;
};

struct Gains {
  double latency_ms = 0.0;                ///< of the model as it is, one forward
  std::map<std::string, SiteGain> sites;  ///< by id, of those that the plan swaps and that are run
};

/// Times each site's source and target in turn on the site's values when the model runs on these
/// inputs, and takes the median of the ratios: the difference of two whole models would be noise.
/// (For a hand-written form the source's time is the site's in the model.) PyTorch's interpreter
/// runs the model in eval mode, so this does not see what another runtime fuses.
/// @param model is not changed
/// @param plan names source and target of each site
/// @param inputs of forward, as large as those it will get
/// @param rounds timed runs; > 0
/// @param should_stop asked between sites; true ends with Interrupted
/// @throws UsageError where the model rejects the inputs; Interrupted
ACTSWAP_API Gains measure_gains(const Model& model, const Plan& plan,
                                const std::vector<torch::Tensor>& inputs, int rounds = 15,
                                const std::function<bool()>& should_stop = {});

}  // namespace actswap
