#include <actswap/base/error.h>
#include <actswap/base/json_text.h>
#include <actswap/report/recorded_run.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

namespace actswap {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file.is_open() || file.bad()) {
    throw FileError("Cannot read '" + path.string() + "'");
  }
  return text;
}

std::string read_if_there(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) ? read_text(path) : "";
}

Json parse_object(const std::string& text, const std::string& where) {
  auto json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    throw FileError("Expected a JSON object in " + where + ", but got something else");
  }
  return json;
}

Json parse_record(const std::string& text, const std::string& path) {
  auto record = parse_object(text, "'" + path + "'");
  const auto schema = record.find("schema");
  if (schema == record.end() || *schema != 1) {
    throw FileError("Expected the record of a conversion with \"schema\": 1 in '" + path +
                    "', but got " +
                    (schema == record.end() ? "one without a schema" : json_text(*schema)));
  }
  return record;
}

std::vector<Json> parse_lines(const std::string& lines, const std::string& path) {
  std::istringstream text(lines);
  std::vector<Json> found;
  std::string line;
  for (std::size_t number = 1; std::getline(text, line); ++number) {
    const bool is_complete = !text.eof();
    if (line.empty() || (!is_complete && !Json::accept(line))) {
      continue;
    }
    found.push_back(parse_object(line, "line " + std::to_string(number) + " of '" + path + "'"));
  }
  return found;
}

// Bytes that are no UTF-8 become U+FFFD.
std::string valid_utf8(const std::string& text) {
  return Json::parse(json_text(Json(text))).get<std::string>();
}

}  // namespace

RecordedRun parse_run(const std::string& folder, const std::string& record,
                      const std::string& metrics, const std::string& configuration) {
  return {.folder = folder,
          .record = parse_record(record, folder + "/run.json"),
          .metrics = parse_lines(metrics, folder + "/metrics.jsonl"),
          .configuration = valid_utf8(configuration)};
}

RecordedRun read_run(const std::string& path) {
  std::error_code error;
  const bool is_folder = fs::is_directory(path, error);
  const auto folder = is_folder ? fs::path(path) : fs::path(path).parent_path();
  const auto record = is_folder ? folder / "run.json" : fs::path(path);
  if (!fs::is_regular_file(record, error)) {
    throw FileError("Expected the folder of a run, with a run.json in it, but '" + record.string() +
                    "' is no file");
  }
  return parse_run(folder.string(), read_text(record), read_if_there(folder / "metrics.jsonl"),
                   read_if_there(folder / "config.toml"));
}

}  // namespace actswap
