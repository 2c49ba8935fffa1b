#include <actswap/measure/timed_runs.h>

#include <algorithm>
#include <cstdio>
#include <numeric>

namespace actswap {

namespace {

constexpr double kLeastShare = 0.9;  // of the time, with a processor
constexpr double kWidest = 0.2;      // of the median, its interval

std::vector<double> ratios(const std::vector<double>& times, const std::vector<double>& first) {
  std::vector<double> found(times.size());
  std::transform(times.begin(), times.end(), first.begin(), found.begin(), std::divides());
  return found;
}

std::string percent(const char* before, double share, const char* after) {
  char text[160];
  std::snprintf(text, sizeof text, "%s%.0f %%%s", before, 100.0 * share, after);
  return text;
}

double share_with_processor(const std::vector<TimedRuns>& models) {
  double wall = 0.0;
  double processor = 0.0;
  for (const auto& model : models) {
    wall = std::accumulate(model.wall_ms.begin(), model.wall_ms.end(), wall);
    processor += model.processor_ms;
  }
  return wall > 0.0 ? processor / wall : 1.0;
}

std::string doubt(const std::vector<TimedRuns>& models, const std::vector<Latency>& latencies) {
  if (models.front().wall_ms.size() < kLeastForInterval) {
    return "there are too few rounds; expected " + std::to_string(kLeastForInterval) + " or more";
  }
  if (const double share = share_with_processor(models); share < kLeastShare) {
    return percent("other programs kept the processors busy: the runs had one for ", share,
                   " of the time");
  }
  const double first = latencies.front().median_ms;
  for (const auto& latency : latencies) {
    const auto& [low, high] = latency.interval_ms;
    if (high - low > kWidest * latency.median_ms) {
      return percent("the runs differ too much: the interval of a median is ",
                     (high - low) / latency.median_ms, " of it wide");
    }
    if (!latency.ratio_interval.contains(latency.median_ms / first)) {
      return "the machine's speed changed: the ratio of the medians is not that of paired runs";
    }
  }
  return "";
}

}  // namespace

std::vector<Latency> summarise(const std::vector<TimedRuns>& models) {
  std::vector<Latency> latencies;
  for (const auto& [times, processor] : models) {
    const auto paired = ratios(times, models.front().wall_ms);
    latencies.push_back({.median_ms = median(times),
                         .minimum_ms = *std::min_element(times.begin(), times.end()),
                         .interval_ms = median_interval(times),
                         .ratio_to_first = median(paired),
                         .ratio_interval = median_interval(paired),
                         .runs_ms = times});
  }
  for (auto& latency : latencies) {
    latency.processor_share = share_with_processor(models);
    latency.doubt = doubt(models, latencies);
  }
  return latencies;
}

}  // namespace actswap
