#include "log.h"

#include <actswap/base/error.h>

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace actswap::tool {

namespace {

std::shared_ptr<spdlog::logger>& file_log() {
  static std::shared_ptr<spdlog::logger> log;
  return log;
}

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::debug:
      return spdlog::level::debug;
  }
  return spdlog::level::info;
}

// https://no-color.org
bool wants_colors() {
  const char* setting = std::getenv("NO_COLOR");
  return setting == nullptr || *setting == '\0';
}

std::shared_ptr<spdlog::logger> make_log(std::vector<spdlog::sink_ptr> sinks) {
  auto log = std::make_shared<spdlog::logger>("actswap", sinks.begin(), sinks.end());
  log->set_level(spdlog::level::debug);
  log->flush_on(spdlog::level::debug);
  return log;
}

spdlog::sink_ptr make_file_sink(const std::string& file) {
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file, /*truncate=*/true);
    sink->set_pattern("%Y-%m-%d %H:%M:%S.%e %l: %v");
    return sink;
  } catch (const spdlog::spdlog_ex& error) {
    throw FileError("Cannot write the log to '" + file + "' (--log-file): " + error.what());
  }
}

// Names in it may come from a stranger's file, with characters that steer a terminal.
std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(),
      [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
      },
      '?');
  return text;
}

}  // namespace

void set_up_log(LogLevel level, const std::string& file, const std::string& prefix) {
  auto screen = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(
      wants_colors() ? spdlog::color_mode::automatic : spdlog::color_mode::never);
  screen->set_pattern(prefix + "%^%l%$: %v");
  screen->set_level(level_of(level));
  std::vector<spdlog::sink_ptr> sinks = {screen};
  if (!file.empty()) {
    sinks.push_back(make_file_sink(file));
    file_log() = make_log({sinks.back()});
  }
  spdlog::set_default_logger(make_log(std::move(sinks)));
}

void log_debug(const std::string& text) {
  spdlog::debug("{}", printable(text));
}
void log_info(const std::string& text) {
  spdlog::info("{}", printable(text));
}
void log_warning(const std::string& text) {
  spdlog::warn("{}", printable(text));
}
void log_error(const std::string& text) {
  spdlog::error("{}", printable(text));
}
void log_to_file(const std::string& text) {
  if (file_log()) {
    file_log()->info("{}", printable(text));
  }
}

}  // namespace actswap::tool
