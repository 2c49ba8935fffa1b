#include <actswap/base/error.h>
#include <actswap/base/json_text.h>
#include <actswap/report/formatted.h>
#include <actswap/report/run_status.h>
#include <actswap/report/runs.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <system_error>

namespace actswap {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kDeepest = 3;

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string last_phase(const fs::path& path) {
  const auto text = text_of(path);
  const auto end = text.rfind('\n');
  if (end == std::string::npos || end == 0) {
    return "";
  }
  const auto begin = text.rfind('\n', end - 1);
  const auto first = begin == std::string::npos ? 0 : begin + 1;
  const auto line = Json::parse(text.substr(first, end - first), nullptr, false);
  return line.is_object() && line.contains("phase") && line["phase"].is_string()
             ? line["phase"].get<std::string>()
             : "";
}

std::string targets_in(const Json& sites) {
  std::set<std::string> targets;
  for (const auto& site : sites) {
    if (const auto& target = site.at("target"); target.is_string()) {
      targets.insert(target.get<std::string>());
    }
  }
  std::string text;
  for (const auto& target : targets) {
    text += (text.empty() ? "" : ",") + target;
  }
  return text;
}

RunSummary summary_of(const fs::path& record) {
  RunSummary run;
  run.folder = record.parent_path().string();
  try {
    const auto json = Json::parse(text_of(record));
    run.status = json.at("status").get<std::string>();
    run.reason = json.at("status_reason").get<std::string>();
    run.begun = json.at("begun").get<std::string>();
    run.updated = json.at("updated").get<std::string>();
    run.model = json.at("model").at("path").get<std::string>();
    run.target = targets_in(json.at("sites"));
    run.metric = json.at("metric").is_string() ? json["metric"].get<std::string>() : "";
    for (const char* name : {"retargeted", "calibrated", "swap_alone"}) {
      if (!run.value && json.at(name).is_number()) {
        run.value = json[name].get<double>();
      }
    }
    const RunState state{.process = json.at("process").at("pid").get<std::int64_t>(),
                         .host = json.at("process").at("host").get<std::string>()};
    if (run.status == to_string(RunStatus::running) && !is_alive(state)) {
      run.status = "killed";
    }
    run.phase = last_phase(record.parent_path() / "metrics.jsonl");
  } catch (const Json::exception&) {
    run.status = "unreadable";
  }
  return run;
}

}  // namespace

std::vector<RunSummary> find_runs(const std::string& folder) {
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, fs::directory_options::skip_permission_denied,
                                         error);
  if (error) {
    throw FileError("Cannot read the folder '" + folder + "': " + error.message());
  }
  std::vector<RunSummary> runs;
  for (const fs::recursive_directory_iterator end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (entry->path().filename() == "run.json" && entry->is_regular_file(ignored)) {
      runs.push_back(summary_of(entry->path()));
    }
    if (entry.depth() >= kDeepest) {
      entry.disable_recursion_pending();
    }
  }
  std::ranges::sort(runs, [](const RunSummary& a, const RunSummary& b) {
    return std::pair(a.begun, a.folder) < std::pair(b.begun, b.folder);
  });
  return runs;
}

std::string runs_json(const std::vector<RunSummary>& runs) {
  Json list = Json::array();
  for (const auto& run : runs) {
    list.push_back({{"folder", run.folder},
                    {"status", run.status},
                    {"reason", run.reason},
                    {"model", run.model},
                    {"target", run.target},
                    {"phase", run.phase},
                    {"metric", run.metric},
                    {"value", run.value ? Json(*run.value) : Json()},
                    {"begun", run.begun},
                    {"updated", run.updated}});
  }
  return json_text(Json{{"schema", 1}, {"runs", list}});
}

std::string runs_table(const std::vector<RunSummary>& runs) {
  using Row = std::array<std::string, 7>;
  std::vector<Row> rows = {{"run", "status", "model", "target", "phase", "metric", "began"}};
  for (const auto& run : runs) {
    const auto value = run.value ? run.metric + formatted(" %.6g", *run.value) : run.metric;
    rows.push_back(
        {run.folder, run.status, run.model, run.target, run.phase, value, run.begun.substr(0, 16)});
  }
  std::array<std::size_t, 7> widths = {};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace actswap
