// Pruning as a part of other JSON. See docs/formats.md.
#pragma once

#include <actswap/report/run.h>

#include <nlohmann/json.hpp>

namespace actswap {

nlohmann::ordered_json pruning_json(const PruneRecord& record, const CalibrationOptions& options);

}  // namespace actswap
