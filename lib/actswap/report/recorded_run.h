// A run, read from the files that `convert` left in its folder.
#pragma once

#include <actswap/base/export.h>

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace actswap {

struct RecordedRun {
  std::string folder = {};
  nlohmann::ordered_json record = {};                ///< run.json: an object of schema 1
  std::vector<nlohmann::ordered_json> metrics = {};  ///< metrics.jsonl, an object a line
  std::string configuration = {};                    ///< config.toml; empty: there is none
};

/// A run from the texts of its files. Skips an incomplete last line of metrics.jsonl.
/// @throws FileError where one is damaged, or run.json is of another schema
ACTSWAP_API RecordedRun parse_run(const std::string& folder, const std::string& record,
                                  const std::string& metrics = "",
                                  const std::string& configuration = "");

/// Reads a run's folder.
/// @param path of the folder, or of the run.json in it
/// @throws FileError where there is no run.json; what parse_run throws
ACTSWAP_API RecordedRun read_run(const std::string& path);

}  // namespace actswap
