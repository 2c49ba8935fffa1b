// What the runs of models took, and what that says.
#pragma once

#include <actswap/base/export.h>
#include <actswap/measure/latency.h>

#include <vector>

namespace actswap {

/// Of one model, a run in each round.
struct TimedRuns {
  std::vector<double> wall_ms = {};
  /// The processor's time that the calling thread got during all of them. It takes part in every
  /// parallel loop, so on a machine that is idle otherwise that is all of the time.
  double processor_ms = 0.0;
};

/// One record a model. They are doubted, all of them,
///
///  - where the calling thread had a processor for less than 90 % of the time: others were busy;
///  - where the interval of a median is wider than a fifth of it;
///  - where the quotient of two medians lies outside the interval of the median ratio, so that the
///    figures contradict each other;
///  - where there are too few rounds for an interval.
/// @param models each with as many rounds, at least one
ACTSWAP_API std::vector<Latency> summarise(const std::vector<TimedRuns>& models);

}  // namespace actswap
