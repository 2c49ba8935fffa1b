// The schedules of a training, and whether they fit into it.
#pragma once

#include <actswap/schedule/closed_loop.h>
#include <actswap/schedule/schedule.h>

#include <vector>

namespace actswap {

/// One schedule for all blends, or one for each of several groups, in epochs.
class Ramps {
 public:
  /// @param batches of an epoch
  /// @param last epoch of the training
  /// @throws UsageError where there is none, or where one needs longer than the training
  Ramps(const std::vector<Schedule>& schedules, double batches, double last);

  /// t of each at a position, in epochs.
  std::vector<double> at(double position) const;
  std::vector<double> at_the_end() const { return std::vector<double>(schedules_.size(), 1.0); }

  /// @throws UsageError where the ramps end too late to be held
  ClosedLoop closed_loop(double bound) const;

 private:
  double begin() const;
  double end() const;

  std::vector<Schedule> schedules_;
  double last_;
};

}  // namespace actswap
