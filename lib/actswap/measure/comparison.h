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

/// Differences are the first model minus the second. Intervals are 95 % intervals of the paired
/// differences (mean_interval). Over examples they say how certain the difference between these two
/// models is, not what another training would give; intervals over seeds say that.
struct Comparison {
  Interval difference;                        ///< of the metric, over the examples
  Interval loss_difference;                   ///< of the loss, over the examples
  std::optional<ClassFall> worst_class = {};  ///< the class that lost most; averages can hide it
};

/// @return empty if one of them did not keep its examples
/// @throws UsageError if their numbers of examples differ
ACTSWAP_API std::optional<Comparison> compare(const Evaluation& model, const Evaluation& reference);

/// The result of one seed: the retargeted model and, if there is one, the control.
struct SeedResult {
  std::uint64_t seed = 0;
  Judgement retargeted = {};
  std::optional<Judgement> control = {};
};

/// Over the seeds: the metric of the retargeted models minus that of the original.
/// @param seeds not empty, with evaluations
/// @param original evaluated on the same data
ACTSWAP_API Interval over_seeds_against(const std::vector<SeedResult>& seeds,
                                        const Evaluation& original);

/// The same minus that of the control with the same seed.
/// @param seeds not empty, with evaluations of both
ACTSWAP_API Interval over_seeds_against_control(const std::vector<SeedResult>& seeds);

}  // namespace actswap
