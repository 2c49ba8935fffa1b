// The curves of the training runs.
#include <actswap/report/page/chart.h>
#include <actswap/report/page/html.h>
#include <actswap/report/page/sections.h>
#include <actswap/report/run_curves.h>

namespace actswap::page {

namespace {

std::vector<Series> series_of(const std::vector<RunCurve>& curves, std::string_view quantity) {
  std::vector<Series> found;
  for (const auto& curve : curves) {
    if (curve.quantity == quantity) {
      found.push_back({curve.phase, {}});
      for (const auto& point : curve.points) {
        found.back().points.emplace_back(point.step, point.value);
      }
    }
  }
  return found;
}

}  // namespace

std::string curves(const RecordedRun& run) {
  const auto curves = curves_of(run);
  return side_by_side({line_chart("loss", "step", series_of(curves, "loss"), true),
                       line_chart("t", "step", series_of(curves, "t")),
                       line_chart("learning rate", "step", series_of(curves, "learning_rate")),
                       line_chart("checks", "step", series_of(curves, "check"))});
}

}  // namespace actswap::page
