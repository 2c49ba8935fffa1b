// The help as text for a terminal.
#pragma once

#include "command_text.h"

namespace actswap::tool {

/// Characters in a line of standard output: COLUMNS where it is a number, otherwise the terminal's
/// width, without a terminal 80; 40 at least and 100 at most, which is easy to read.
int help_width();

/// Lines of `width` characters at most, where no word is longer. All but the first begin with
/// `indent` spaces; `first` characters of the first one are taken.
std::string wrapped(const std::string& text, int width, int indent, int first);

std::string overview_text(const CommandText& command, int width);
std::string help_text(const SubcommandText& subcommand, int width);
/// "actswap 0.1.0 (LibTorch 2.13.0)"
std::string version_text(const CommandText& command);

}  // namespace actswap::tool
