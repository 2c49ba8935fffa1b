#include <actswap/report/formatted.h>
#include <actswap/report/latency.h>

namespace actswap {

namespace {

nlohmann::ordered_json ends(const MedianInterval& interval) {
  return {interval.low, interval.high};
}

}  // namespace

std::string latency_text(const Latency& latency) {
  return formatted("%.3f ms (%.3f to %.3f), minimum %.3f ms", latency.median_ms,
                   latency.interval_ms.low, latency.interval_ms.high, latency.minimum_ms);
}

std::string ratio_text(const Latency& latency) {
  const auto& [low, high] = latency.ratio_interval;
  const auto interval = formatted(" (%.2f to %.2f)", low, high);
  if (!latency.doubt.empty()) {
    return "cannot be trusted" + interval + ": " + latency.doubt;
  }
  return latency.ratio_interval.contains(1.0)
             ? "no clear difference" + interval
             : formatted("%.2f", latency.ratio_to_first) + interval;
}

nlohmann::ordered_json to_json_object(const Latency& latency) {
  return {{"median_ms", latency.median_ms},
          {"interval_ms", ends(latency.interval_ms)},
          {"minimum_ms", latency.minimum_ms},
          {"ratio_to_first", latency.ratio_to_first},
          {"ratio_interval", ends(latency.ratio_interval)},
          {"runs_ms", latency.runs_ms},
          {"processor_share", latency.processor_share},
          {"doubt", latency.doubt}};
}

}  // namespace actswap
