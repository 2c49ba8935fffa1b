// How latencies are printed.
#pragma once

#include <actswap/base/export.h>
#include <actswap/measure/latency.h>

#include <nlohmann/json.hpp>

#include <string>

namespace actswap {

/// "1.817 ms (1.790 to 1.850), minimum 1.780 ms": the median and its interval.
ACTSWAP_API std::string latency_text(const Latency& latency);

/// "0.80 (0.79 to 0.82)", "no clear difference (0.95 to 1.03)"; a ratio that cannot be trusted says
/// so, and why.
ACTSWAP_API std::string ratio_text(const Latency& latency);

/// The same as JSON: median_ms, interval_ms, minimum_ms, ratio_to_first, ratio_interval, doubt.
ACTSWAP_API nlohmann::ordered_json to_json_object(const Latency& latency);

}  // namespace actswap
