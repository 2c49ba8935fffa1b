// The runs below a folder.
#pragma once

#include <actswap/base/export.h>

#include <optional>
#include <string>
#include <vector>

namespace actswap {

/// A summary of run.json.
struct RunSummary {
  std::string folder = {};
  /// As in RunState; "killed" if it says "running" but the process is gone; "unreadable" if the
  /// record is damaged or of an older version.
  std::string status = {};
  std::string reason = {};
  std::string model = {};
  std::string target = {};  ///< "relu", several with commas
  std::string phase = {};   ///< the last one in metrics.jsonl
  std::string metric = {};
  std::optional<double> value = {};  ///< of the model so far
  std::string begun = {};
  std::string updated = {};
};

/// The runs of each run.json in the folder and the folders in it, three deep, in the order in which
/// they began.
/// @throws FileError where the folder cannot be read
ACTSWAP_API std::vector<RunSummary> find_runs(const std::string& folder);

/// {"schema": 1, "runs": [...]}; see docs/formats.md.
ACTSWAP_API std::string runs_json(const std::vector<RunSummary>& runs);
/// For people, a line each.
ACTSWAP_API std::string runs_table(const std::vector<RunSummary>& runs);

}  // namespace actswap
