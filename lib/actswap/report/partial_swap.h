// What a search for a partial swap found, for people.
#pragma once

#include <actswap/base/export.h>
#include <actswap/measure/partial_swap.h>

#include <string>

namespace actswap {

/// "a same prediction of 0.98 or more", "a drop of the accuracy of 1 or less"
ACTSWAP_API std::string wish_in_words(const PartialSwap& partial);

/// A line for each point, under a line of heads: sites kept, the measure, the time saved; the point
/// that was chosen is marked.
ACTSWAP_API std::string partial_swap_table(const PartialSwap& partial);

}  // namespace actswap
