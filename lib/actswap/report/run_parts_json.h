// The parts of a run's record on calibration, training, sites and machine. See docs/formats.md.
#pragma once

#include <actswap/report/run.h>

#include <nlohmann/json.hpp>

#include <vector>

namespace actswap {

nlohmann::ordered_json calibration_json(const Calibration& calibration,
                                        const CalibrationOptions& options);
/// The part of a run that trained.
nlohmann::ordered_json training_json(const Run& run);
nlohmann::ordered_json epochs_json(const std::vector<EpochRecord>& epochs);
/// The measurements of a site as an object, empty if nothing was measured.
nlohmann::ordered_json site_record_json(const SiteRecord& site);
nlohmann::ordered_json machine_json(const Machine& machine);

}  // namespace actswap
