// What the record of a run says of calibration, training, sites and machine. See docs/formats.md.
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
/// What a site has beside its plan: an object, empty where nothing was measured.
nlohmann::ordered_json site_record_json(const SiteRecord& site);
nlohmann::ordered_json machine_json(const Machine& machine);

}  // namespace actswap
