// The times of models' runs, and whether they can be trusted.
#pragma once

#include <actswap/base/export.h>
#include <actswap/measure/latency.h>

#include <vector>

namespace actswap {

/// The times of one model, a run in each round.
struct TimedRuns {
  std::vector<double> wall_ms = {};
  /// The processor's time that the calling thread got during all of them. It takes part in every
  /// parallel loop, so on a machine that is idle otherwise that is all of the time.
  double processor_ms = 0.0;
};

/// One record for each model. All are marked as doubtful
///
///  - if the calling thread had a processor for less than 90 % of the time: others kept it busy;
///  - if the interval of a median is wider than a fifth of it;
///  - if the quotient of two medians lies outside the interval of the median ratio, so that the
///    figures contradict each other;
///  - if there are too few rounds for an interval.
/// @param models each with as many rounds, at least one
ACTSWAP_API std::vector<Latency> summarise(const std::vector<TimedRuns>& models);

}  // namespace actswap
