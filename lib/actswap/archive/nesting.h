// How deep a text or a value is nested: LibTorch reads both by recursion, and a few thousand levels
// end the process.
#pragma once

#include <actswap/base/export.h>

#include <cstddef>
#include <string_view>

namespace actswap {

/// What files may have. Python's own pickling ends at about as many, and what PyTorch writes of a
/// model has less than a hundred.
constexpr std::size_t kDeepestNesting = 1000;

/// The most brackets, blocks (two blanks each) and operators in a row within one another that the
/// source text of TorchScript has at one place. Operators count as nesting since a + b + c is a
/// tree of two levels. What stands in strings and comments does not count.
ACTSWAP_API std::size_t nesting_of_code(std::string_view code);

}  // namespace actswap
