// The report of runs, for people: one HTML file that needs nothing else.
#pragma once

#include <actswap/base/export.h>
#include <actswap/report/recorded_run.h>

#include <string>
#include <vector>

namespace actswap {

/// A page that shows runs side by side, each with the verdict in a sentence, the metric from step
/// to step, the curves of the training, the sites with their functions, the classes, latency, what
/// was verified, how to repeat it; and a glossary. It skips parts that a run lacks. All text is
/// escaped; the page has no scripts and does not use the network.
/// @param runs not empty
ACTSWAP_API std::string html_report(const std::vector<RecordedRun>& runs);

/// Writes report.html into the run's folder. @throws FileError
ACTSWAP_API void write_report(const RecordedRun& run);

}  // namespace actswap
