#include "log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace actswap::tool {

void set_up_log(LogLevel level) {
  auto log = spdlog::stderr_color_mt("actswap");
  log->set_pattern("%^%l%$: %v");
  spdlog::set_default_logger(std::move(log));
  switch (level) {
    case LogLevel::error:
      spdlog::set_level(spdlog::level::err);
      break;
    case LogLevel::info:
      spdlog::set_level(spdlog::level::info);
      break;
    case LogLevel::debug:
      spdlog::set_level(spdlog::level::debug);
      break;
  }
}

void log_debug(const std::string& text) {
  spdlog::debug("{}", text);
}
void log_info(const std::string& text) {
  spdlog::info("{}", text);
}
void log_warning(const std::string& text) {
  spdlog::warn("{}", text);
}
void log_error(const std::string& text) {
  spdlog::error("{}", text);
}

}  // namespace actswap::tool
