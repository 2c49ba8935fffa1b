// The sections of the report. Each takes one run and returns HTML, or "" if the run has nothing to
// show there.
#pragma once

#include <actswap/report/recorded_run.h>

#include <string>

namespace actswap::page {

/// The run's name: that of the file that it wrote.
std::string name_of(const RecordedRun& run);

std::string verdict(const RecordedRun& run);    ///< in a sentence, with its interval
std::string staircase(const RecordedRun& run);  ///< original, swap, calibration, training, control
std::string curves(const RecordedRun& run);     ///< loss, t, rate, checks
std::string sites(const RecordedRun& run);      ///< functions over their inputs, time, errors
std::string layers(const RecordedRun& run);     ///< errors before and after the calibration
std::string pruning(const RecordedRun& run);    ///< what was cut, and what that costs
std::string classes(const RecordedRun& run);
std::string latency(const RecordedRun& run);  ///< each timed run, and the machine's load
std::string verification(const RecordedRun& run);
std::string how_to_repeat(const RecordedRun& run);
std::string glossary();

/// Figures of several runs, a column each. @param runs two or more
std::string comparison(const std::vector<RecordedRun>& runs);

}  // namespace actswap::page
