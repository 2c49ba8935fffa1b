// Manual pages, as troff with the macros of man(7).
#pragma once

#include "command_text.h"

namespace actswap::tool {

/// actswap(1)
std::string overview_page(const CommandText& command);
/// actswap-NAME(1)
std::string page(const CommandText& command, const SubcommandText& subcommand);

}  // namespace actswap::tool
