// The .npy format (numpy/lib/format.py): a magic number, a version, a dictionary in Python's
// syntax, then the elements.
#pragma once

#include <actswap/data/column.h>

#include <string>
#include <string_view>

namespace actswap {

struct NpyHeader {
  StoredArray array = {};        ///< its offset is that of the elements from the header's begin
  bool is_column_major = false;  ///< the first dimension varies fastest
  std::string problem = {};      ///< why its elements are not numbers; the rest is then empty
};

/// The most bytes that read_npy_header reads.
constexpr std::size_t kMostNpyHeader = 1 << 16;

/// @param begin the first bytes of the array, kMostNpyHeader or all of them
/// @param what for messages: "'x.npy'"
/// @throws FileError where it is damaged or of a newer version
NpyHeader read_npy_header(std::string_view begin, const std::string& what);

/// The array of a whole .npy file in memory, scalars too.
/// @throws FileError where it is damaged or holds no numbers
torch::Tensor npy_tensor(std::string_view bytes, const std::string& what);

}  // namespace actswap
