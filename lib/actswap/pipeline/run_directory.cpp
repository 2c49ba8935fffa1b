#include <actswap/base/error.h>
#include <actswap/base/output_broker.h>
#include <actswap/pipeline/run_directory.h>
#include <actswap/report/event_file.h>

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace actswap {

namespace fs = std::filesystem;

namespace {

// What a run writes there.
constexpr std::array kRecordFiles = {"run.json",     "config.toml", "metrics.jsonl", "checkpoint-0",
                                     "checkpoint-1", "report.html", kEventFile};

// Links resolved as far as there is something; no name ends in a separator.
fs::path canonical(const std::string& path) {
  std::error_code error;
  auto found = fs::weakly_canonical(fs::absolute(path), error);
  if (error) {
    found = fs::absolute(path).lexically_normal();
  }
  return found.has_filename() ? found : found.parent_path();
}

[[noreturn]] void fail(const std::string& directory, const std::string& reason) {
  throw FileError("Cannot write the record of the run into '" + directory +
                  "' (--run-dir): " + reason);
}

// Tries it, because permissions alone do not tell, in /proc for instance. A confined process may
// not try, and need not: its supervisor did.
void expect_writable(const fs::path& folder, const std::string& directory) {
  if (writes_through_broker()) {
    return;
  }
  auto trial = (folder / ".actswap_XXXXXX").string();
  if (::mkdtemp(trial.data()) == nullptr) {
    fail(directory, "in '" + folder.string() + "': " + std::strerror(errno));
  }
  ::rmdir(trial.c_str());
}

// The folder, or the nearest one above it that exists.
fs::path nearest(const std::string& directory) {
  auto path = canonical(directory);
  std::error_code error;
  auto status = fs::status(path, error);
  while (status.type() == fs::file_type::not_found && path.has_relative_path()) {
    path = path.parent_path();
    status = fs::status(path, error);
  }
  if (!fs::status_known(status)) {
    fail(directory, error.message());
  }
  if (!fs::is_directory(status)) {
    fail(directory, "'" + path.string() + "' is not a folder");
  }
  return path;
}

}  // namespace

void check_run_directory(const std::string& directory, const std::string& output) {
  if (directory.empty()) {
    return;
  }
  const auto folder = canonical(directory);
  const auto file = canonical(output);
  const auto within = folder.lexically_relative(file);
  if (!within.empty() && *within.begin() != "..") {
    throw UsageError("Expected a run directory (--run-dir) outside of the output '" + output +
                     "', but got '" + directory + "'");
  }
  for (const auto* const name : kRecordFiles) {
    const auto record = folder / name;
    if (file == record) {
      throw UsageError("Expected an output other than the record of the run, but both are '" +
                       output + "'");
    }
    std::error_code ignored;
    if (fs::is_directory(record, ignored)) {
      fail(directory, "'" + record.string() + "' is a folder; expected none or a file");
    }
  }
  expect_writable(nearest(directory), directory);
}

}  // namespace actswap
