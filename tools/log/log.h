// The command's log, on stderr and in a file where one is asked for. A library of its own that sees
// nothing of LibTorch: LibTorch brings headers of another fmt than the one spdlog is built with.
#pragma once

#include <string>

namespace actswap::tool {

enum class LogLevel { error, info, debug };

/// To be called before the first line. Only terminals get colours, unless NO_COLOR is set.
/// @param level of the lines on stderr
/// @param prefix of each line on stderr
/// @param file gets every line, whatever the level, with its time; empty: there is none
/// @throws FileError where the file cannot be written
void set_up_log(LogLevel level, const std::string& file = "", const std::string& prefix = "");

void log_debug(const std::string& text);
void log_info(const std::string& text);
void log_warning(const std::string& text);
void log_error(const std::string& text);
/// Logs only to the file, for text that stderr shows in another way.
void log_to_file(const std::string& text);

}  // namespace actswap::tool
