// The name that a mistyped one probably means.
#pragma once

#include <actswap/base/export.h>

#include <optional>
#include <string>
#include <vector>

namespace actswap {

/// The known name that takes the fewest insertions, deletions and replacements of a letter, the
/// first if there are several; empty if even that takes more than two letters and more than half of
/// the name.
ACTSWAP_API std::optional<std::string> nearest(const std::string& name,
                                               const std::vector<std::string>& known);

/// "; did you mean 'relu'?", for the end of a message; empty where nothing is near.
ACTSWAP_API std::string did_you_mean(const std::string& name,
                                     const std::vector<std::string>& known);

}  // namespace actswap
