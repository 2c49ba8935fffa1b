// The command's log, on stderr. A library of its own that sees nothing of LibTorch: LibTorch brings
// headers of another fmt than the one spdlog is built with.
#pragma once

#include <string>

namespace actswap::tool {

enum class LogLevel { error, info, debug };

/// Before the first line.
void set_up_log(LogLevel level);

void log_debug(const std::string& text);
void log_info(const std::string& text);
void log_warning(const std::string& text);
void log_error(const std::string& text);

}  // namespace actswap::tool
