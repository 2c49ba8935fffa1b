// The curves of a run's training runs, as its record has them.
#pragma once

#include <actswap/base/export.h>
#include <actswap/report/recorded_run.h>

#include <string>
#include <vector>

namespace actswap {

struct CurvePoint {
  double step = 0.0;  ///< steps done
  double value = 0.0;
  double time = 0.0;  ///< seconds since 1970; 0 where it is not known
};

struct RunCurve {
  std::string phase = {};  ///< "retarget", "control"; of several seeds "retarget, seed 3"
  std::string quantity = {};
  std::vector<CurvePoint> points = {};  ///< finite, by rising step
};

/// "loss", "t", "learning_rate" and "check" (the metric during the training) of each training, if
/// they have points: from metrics.jsonl if there is one, otherwise epoch by epoch. If a training
/// returned to an earlier step, the points that it undid are left out.
ACTSWAP_API std::vector<RunCurve> curves_of(const RecordedRun& run);

}  // namespace actswap
