#include <actswap/pipeline/phases.h>

namespace actswap {

std::vector<RunPhase> phases_of(const ConvertOptions& options) {
  std::vector<RunPhase> phases;
  const auto add = [&](const std::string& name, const std::string& kind) {
    phases.push_back({name, kind});
  };
  if (options.plan_by_sensitivity || options.budget_ms || options.min_agreement) {
    add("sensitivity", "sensitivity");
  }
  for (std::int64_t i = 0; i < options.seeds; ++i) {
    const auto seed =
        options.seeds > 1
            ? ", seed " + std::to_string(options.train.seed + static_cast<std::uint64_t>(i))
            : "";
    if (options.calibration_data) {
      add("calibrate", "calibrate");
      if (options.calibration.passes != 0) {
        add("fit together", "fit together");
      }
    }
    if (options.prune) {
      add("survey", "survey");
      add("fit together", "fit together");
    }
    if (options.train_data) {
      add("retarget" + seed, "train");
    }
    if (options.train_data && options.control) {
      add("control" + seed, "train");
    }
  }
  return phases;
}

}  // namespace actswap
