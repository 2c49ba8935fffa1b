#include <actswap/archive/extent.h>

#include <algorithm>
#include <cstddef>

namespace actswap {

namespace {

struct Storage {
  std::string_view type;
  std::uint64_t bytes;  // of an element
};
constexpr Storage kStorages[] = {{"ByteStorage", 1},           {"CharStorage", 1},
                                 {"ShortStorage", 2},          {"IntStorage", 4},
                                 {"LongStorage", 8},           {"HalfStorage", 2},
                                 {"FloatStorage", 4},          {"DoubleStorage", 8},
                                 {"BoolStorage", 1},           {"BFloat16Storage", 2},
                                 {"ComplexHalfStorage", 4},    {"ComplexFloatStorage", 8},
                                 {"ComplexDoubleStorage", 16}, {"QInt8Storage", 1},
                                 {"QUInt8Storage", 1},         {"QInt32Storage", 4},
                                 {"UInt16Storage", 2},         {"UInt32Storage", 4},
                                 {"UInt64Storage", 8},         {"Float8_e5m2Storage", 1},
                                 {"Float8_e4m3fnStorage", 1},  {"Float8_e5m2fnuzStorage", 1},
                                 {"Float8_e4m3fnuzStorage", 1}};

}  // namespace

std::optional<std::uint64_t> element_size(std::string_view storage_type) {
  const auto* row = std::find_if(std::begin(kStorages), std::end(kStorages),
                                 [&](const Storage& known) { return known.type == storage_type; });
  return row == std::end(kStorages) ? std::nullopt : std::optional(row->bytes);
}

std::optional<std::int64_t> last_element(std::int64_t offset,
                                         const std::vector<std::int64_t>& sizes,
                                         const std::vector<std::int64_t>& strides) {
  std::int64_t last = offset;
  std::int64_t count = 1;
  bool is_empty = false;
  bool is_sound = offset >= 0;
  for (std::size_t i = 0; i < sizes.size() && is_sound; ++i) {
    const auto steps = std::max<std::int64_t>(sizes[i], 1) - 1;
    std::int64_t reach = 0;
    is_sound = sizes[i] >= 0 && strides[i] >= 0 &&
               !__builtin_mul_overflow(std::max<std::int64_t>(sizes[i], 1), count, &count) &&
               !__builtin_mul_overflow(steps, strides[i], &reach) &&
               !__builtin_add_overflow(last, reach, &last);
    is_empty = is_empty || sizes[i] == 0;
  }
  if (!is_sound) {
    return std::nullopt;
  }
  return is_empty ? -1 : last;
}

}  // namespace actswap
