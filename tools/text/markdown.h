// The command reference, docs/commands.md, as Markdown of GitHub.
#pragma once

#include "command_text.h"

namespace actswap::tool {

std::string reference_page(const CommandText& command);

}  // namespace actswap::tool
