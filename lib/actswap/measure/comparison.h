// One model against another on the same examples, or over the same seeds.
#pragma once

#include <actswap/base/export.h>
#include <actswap/measure/accuracy.h>
#include <actswap/measure/judge.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace actswap {

struct ClassFall {
  std::size_t index = 0;
  double before = 0.0;  ///< accuracy of this class in percent
  double after = 0.0;
};

/// Differences are of the first less the second. Intervals are 95 %, of the paired differences
/// (mean_interval): over examples they say how sure the difference between these two models is,
/// not how much another training would give; that is said by the ones over seeds.
struct Comparison {
  Interval difference;                        ///< of the metric, over the examples
  Interval loss_difference;                   ///< of the loss, over the examples
  std::optional<ClassFall> worst_class = {};  ///< the one that lost most; an average can hide it
};

/// @return empty where one of them did not keep its examples
/// @throws UsageError where they are not of as many examples
ACTSWAP_API std::optional<Comparison> compare(const Evaluation& model, const Evaluation& reference);

/// What one seed gave: retargeted and, where there is one, the control trained beside it.
struct SeedResult {
  std::uint64_t seed = 0;
  Judgement retargeted = {};
  std::optional<Judgement> control = {};
};

/// Over the seeds: the metric of the retargeted models less that of the original.
/// @param seeds not empty, with evaluations
/// @param original evaluated on the same data
ACTSWAP_API Interval over_seeds_against(const std::vector<SeedResult>& seeds,
                                        const Evaluation& original);

/// The same less that of the control of the same seed.
/// @param seeds not empty, with evaluations of both
ACTSWAP_API Interval over_seeds_against_control(const std::vector<SeedResult>& seeds);

}  // namespace actswap
