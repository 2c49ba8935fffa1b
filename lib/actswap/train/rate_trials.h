// The trials of a search for the learning rate, each of which is a training, for a search that is
// interrupted.
#pragma once

#include <actswap/base/export.h>
#include <actswap/train/rate_sweep.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

/// The loss of a trial: what an interrupted search of the same kind found, or else what `compute`
/// gives, to be kept for one that is resumed.
/// @param trial a name, the same for the same rate
using RememberTrial =
    std::function<double(const std::string& trial, const std::function<double()>& compute)>;

/// As sweep_rates without the last argument, which may be empty.
ACTSWAP_API RateSweep sweep_rates(torch::jit::Module& module,
                                  std::optional<torch::jit::Module> teacher, const Dataset& data,
                                  const std::vector<Schedule>& schedules,
                                  const std::function<void(const std::vector<double>&)>& set_blends,
                                  const TrainOptions& options,
                                  const std::function<bool()>& should_stop,
                                  const RememberTrial& remember);

}  // namespace actswap
