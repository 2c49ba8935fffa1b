// The curves of a run's trainings, as its record has them.
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

/// "loss", "t", "learning_rate" and "check" (the metric as the training goes on) of each training,
/// those with points alone: from metrics.jsonl where there is one, otherwise epoch by epoch. Where
/// a training went back to an earlier step, what came after that is left out.
ACTSWAP_API std::vector<RunCurve> curves_of(const RecordedRun& run);

}  // namespace actswap
