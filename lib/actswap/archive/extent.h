// How far a tensor reaches in its storage.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace actswap {

/// Bytes of an element in a storage of PyTorch ("FloatStorage": 4); nothing for a name that is not
/// known.
std::optional<std::uint64_t> element_size(std::string_view storage_type);

/// The place of a tensor's last element in the storage, offset + sum of (size - 1) * stride; -1 for
/// a tensor without elements. Empty if a number is negative, or the place or the number of elements
/// does not fit into 64 bits.
/// @param sizes, strides of the same length
std::optional<std::int64_t> last_element(std::int64_t offset,
                                         const std::vector<std::int64_t>& sizes,
                                         const std::vector<std::int64_t>& strides);

}  // namespace actswap
