#include <actswap/report/page/fields.h>
#include <actswap/report/run_curves.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <utility>

namespace actswap {

namespace {

using page::Json;
using page::list;
using page::number;
using page::text;

// The keys of an event in metrics.jsonl or an entry in run.json, and the quantity that each holds.
using Quantities = std::vector<std::pair<std::string_view, std::string_view>>;
const Quantities kOfSteps = {{"loss", "loss"}, {"t", "t"}, {"learning_rate", "learning_rate"}};
const Quantities kOfChecks = {{"value", "check"}};

// "2026-11-28T19:30:00.123Z"; 0 for anything else.
double seconds_since_1970(const std::string& stamp) {
  std::tm utc = {};
  double seconds = 0.0;
  if (std::sscanf(stamp.c_str(), "%4d-%2d-%2dT%2d:%2d:%lfZ", &utc.tm_year, &utc.tm_mon,
                  &utc.tm_mday, &utc.tm_hour, &utc.tm_min, &seconds) != 6) {
    return 0.0;
  }
  utc.tm_year -= 1900;
  utc.tm_mon -= 1;
  return static_cast<double>(::timegm(&utc)) + seconds;
}

class Curves {
 public:
  void add(const std::string& phase, const Json& entry, const Quantities& quantities) {
    const auto step = number(entry, {"step"});
    for (const auto& [key, quantity] : quantities) {
      const auto value = number(entry, {key});
      if (step && value) {
        auto& points = curve(phase, std::string(quantity)).points;
        std::erase_if(points, [&](const CurvePoint& point) { return point.step >= *step; });
        points.push_back({*step, *value, seconds_since_1970(text(entry, {"time"}))});
      }
    }
  }

  std::vector<RunCurve> take() { return std::move(curves_); }

 private:
  RunCurve& curve(const std::string& phase, const std::string& quantity) {
    const auto found = std::ranges::find_if(curves_, [&](const RunCurve& each) {
      return each.phase == phase && each.quantity == quantity;
    });
    if (found != curves_.end()) {
      return *found;
    }
    return curves_.emplace_back(RunCurve{phase, quantity, {}});
  }

  std::vector<RunCurve> curves_;
};

std::vector<RunCurve> from_metrics(const RecordedRun& run) {
  Curves curves;
  for (const auto& line : run.metrics) {
    const auto event = text(line, {"event"});
    const auto seed = number(line, {"seed"});
    auto phase = text(line, {"phase"});
    if (seed) {
      char number[32];
      std::snprintf(number, sizeof number, ", seed %.0f", *seed);
      phase += number;
    }
    if (event == "step") {
      curves.add(phase, line, kOfSteps);
    } else if (event == "check") {
      curves.add(phase, line, kOfChecks);
    }
  }
  return curves.take();
}

std::vector<RunCurve> from_epochs(const RecordedRun& run) {
  Curves curves;
  for (const auto& [key, phase] :
       {std::pair("epochs", "retarget"), std::pair("control_epochs", "control")}) {
    for (const auto& epoch : list(run.record, {key})) {
      curves.add(phase, epoch, kOfSteps);
      for (const auto& check : list(epoch, {"checks"})) {
        curves.add(phase, check, kOfChecks);
      }
    }
  }
  return curves.take();
}

}  // namespace

std::vector<RunCurve> curves_of(const RecordedRun& run) {
  auto curves = from_metrics(run);
  return curves.empty() ? from_epochs(run) : curves;
}

}  // namespace actswap
