// The ramps of a training, taken together: whether it is long enough for them.
#pragma once

#include <actswap/schedule/schedule.h>

#include <optional>
#include <vector>

namespace actswap {

struct Ramps {
  double begin = 0.0;     ///< epoch at which the first t leaves 0
  double end = 0.0;       ///< epoch at which the last t reaches 1
  double deadline = 0.0;  ///< of a closed loop: epoch from which on every t is 1
};

/// @param schedules in epochs, one or more
/// @param last epoch of the training, fractions allowed
/// @param bound of a closed loop (TrainOptions::bound)
/// @throws UsageError where a ramp, or what it is to be held, does not end within the training
Ramps ramps_within(const std::vector<Schedule>& schedules, double last,
                   const std::optional<double>& bound);

}  // namespace actswap
