// How deep a text or a value is nested: LibTorch reads both by recursion, and a few thousand levels
// end the process.
#pragma once

#include <actswap/base/export.h>

#include <cstddef>
#include <string_view>

namespace actswap {

/// The depth that files may have. Python's own pickling ends at about as many levels, and PyTorch's
/// files of models have less than a hundred.
constexpr std::size_t kDeepestNesting = 1000;

/// The deepest nesting of brackets, blocks (two blanks each) and operators in a row at any place of
/// a TorchScript source text. Operators count as nesting because a + b + c is a tree of two levels.
/// The contents of strings and comments do not count.
ACTSWAP_API std::size_t nesting_of_code(std::string_view code);

}  // namespace actswap
