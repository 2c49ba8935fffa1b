// The report of runs, for people: one HTML file that needs nothing else.
#pragma once

#include <actswap/base/export.h>
#include <actswap/report/recorded_run.h>

#include <string>
#include <vector>

namespace actswap {

/// A page with, for each run side by side: the verdict in a sentence, the metric from step to step,
/// the curves of the training, the sites with their functions, the classes, latency, what was
/// verified, how to repeat it; and a glossary. What a run does not have is left out. All text is
/// escaped; the page holds no scripts and asks nothing of the network.
/// @param runs not empty
ACTSWAP_API std::string html_report(const std::vector<RecordedRun>& runs);

/// Writes report.html into the run's folder. @throws FileError
ACTSWAP_API void write_report(const RecordedRun& run);

}  // namespace actswap
