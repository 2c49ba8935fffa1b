// A word of a command line, as people copy it.
#pragma once

#include <string>

namespace actswap {

/// In quotes where a POSIX shell would read it as something else.
std::string shell_word(const std::string& text);

}  // namespace actswap
