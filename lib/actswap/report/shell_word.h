// A word of a command line, as people copy it.
#pragma once

#include <string>

namespace actswap {

/// The word, in quotes if a POSIX shell would otherwise misread it.
std::string shell_word(const std::string& text);

}  // namespace actswap
