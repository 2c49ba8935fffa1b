// The help as text for a terminal.
#pragma once

#include "command_text.h"

namespace actswap::tool {

/// Characters in a line of standard output: COLUMNS if it is a number, otherwise the terminal's
/// width, or 80 without a terminal; at least 40, and for easy reading at most 100.
int help_width();

/// Wraps text into lines of at most `width` characters, unless a word is longer. All but the first
/// begin with `indent` spaces; the first already holds `first` characters.
std::string wrapped(const std::string& text, int width, int indent, int first);

std::string overview_text(const CommandText& command, int width);
std::string help_text(const SubcommandText& subcommand, int width);
/// "actswap 0.1.0 (LibTorch 2.13.0)"
std::string version_text(const CommandText& command);

}  // namespace actswap::tool
