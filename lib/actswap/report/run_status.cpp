#include <actswap/report/run_status.h>

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace actswap {

std::string to_string(RunStatus status) {
  switch (status) {
    case RunStatus::running:
      return "running";
    case RunStatus::interrupted:
      return "interrupted";
    case RunStatus::failed:
      return "failed";
    case RunStatus::done:
      return "done";
  }
  return "";
}

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

// Another program may have taken the number since.
bool is_alive(const RunState& state) {
  if (state.host != host_name()) {
    return true;
  }
  const auto folder = "/proc/" + std::to_string(state.process);
  std::ifstream file(folder + "/stat");
  std::string text;
  std::getline(file, text);
  const auto end = text.rfind(')');
  const bool is_zombie = end == std::string::npos || text.substr(end).starts_with(") Z");
  std::error_code error;
  const auto program = std::filesystem::read_symlink(folder + "/exe", error);
  const auto own = std::filesystem::read_symlink("/proc/self/exe", error);
  return file.good() && !is_zombie && (error || program.filename() == own.filename());
}

std::string time_stamp() {
  const auto now = std::chrono::system_clock::now();
  const auto seconds = std::chrono::system_clock::to_time_t(now);
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm utc = {};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 40> text{};
  const auto length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text.data() + length, text.size() - length, ".%03dZ",
                static_cast<int>(milliseconds));
  return text.data();
}

}  // namespace actswap
