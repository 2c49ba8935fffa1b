// What the record of a run says of calibration and training. See docs/formats.md.
#pragma once

#include <actswap/report/run.h>

#include <nlohmann/json.hpp>

#include <vector>

namespace actswap {

nlohmann::ordered_json calibration_json(const Calibration& calibration,
                                        const CalibrationOptions& options);
/// Of one that trained.
nlohmann::ordered_json training_json(const Run& run);
nlohmann::ordered_json epochs_json(const std::vector<EpochRecord>& epochs);

}  // namespace actswap
