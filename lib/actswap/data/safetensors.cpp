// The safetensors format: the size of the header as 8 bytes, little-endian; the header, JSON from
// names to type, shape and place; then the tensors' bytes.
#include <actswap/base/error.h>
#include <actswap/data/format.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace actswap {

namespace {

constexpr std::size_t kSizeBytes = 8;
constexpr std::uint64_t kMostHeader = 100'000'000;  // that of the format's own reader

struct SafetensorsType {
  std::string_view name;
  torch::ScalarType type;
};
constexpr std::array<SafetensorsType, 15> kSafetensorsTypes = {{{"BOOL", torch::kBool},
                                                                {"U8", torch::kUInt8},
                                                                {"I8", torch::kInt8},
                                                                {"U16", torch::kUInt16},
                                                                {"I16", torch::kInt16},
                                                                {"U32", torch::kUInt32},
                                                                {"I32", torch::kInt32},
                                                                {"U64", torch::kUInt64},
                                                                {"I64", torch::kInt64},
                                                                {"F16", torch::kFloat16},
                                                                {"BF16", torch::kBFloat16},
                                                                {"F32", torch::kFloat32},
                                                                {"F64", torch::kFloat64},
                                                                {"C64", torch::kComplexFloat},
                                                                {"C128", torch::kComplexDouble}}};

std::uint64_t header_size(const std::string& begin) {
  std::uint64_t size = 0;
  for (std::size_t i = 0; i < kSizeBytes; ++i) {
    size |= std::uint64_t{static_cast<unsigned char>(begin[i])} << (8 * i);
  }
  return size;
}

NamedColumn column_of(const std::string& name, const nlohmann::ordered_json& entry,
                      const DataSource& source, std::uint64_t begin) {
  const auto what = "'" + name + "' in '" + source.path + "'";
  const auto type_name = entry.at("dtype").get<std::string>();
  const auto* type =
      std::find_if(kSafetensorsTypes.begin(), kSafetensorsTypes.end(),
                   [&](const SafetensorsType& known) { return known.name == type_name; });
  if (type == kSafetensorsTypes.end()) {
    return {name, nullptr, "its elements are of the type " + type_name.substr(0, 16)};
  }
  StoredArray array;
  array.type = type->type;
  const auto& shape = entry.at("shape");
  if (!shape.is_array() || !std::all_of(shape.begin(), shape.end(), [](const auto& size) {
        return size.is_number_unsigned();
      })) {
    throw FileError(what + " is damaged: expected as its shape whole numbers of 0 or more");
  }
  array.shape = shape.get<std::vector<std::int64_t>>();
  const auto place = entry.at("data_offsets").get<std::array<std::uint64_t, 2>>();
  const auto available = source.file->size() - begin;
  if (place[0] > place[1] || place[1] > available) {
    throw FileError(what + " is truncated or damaged: expected its bytes from " +
                    std::to_string(place[0]) + " to " + std::to_string(place[1]) + " of " +
                    std::to_string(available));
  }
  if (array.bytes(what) != place[1] - place[0]) {
    throw FileError(what + " is damaged: its shape asks for " + std::to_string(array.bytes(what)) +
                    " bytes, but it has " + std::to_string(place[1] - place[0]));
  }
  array.offset = begin + place[0];
  return stored_column(name, source.file, array);
}

}  // namespace

// Where the header's size is absurd its zeros tell: text has none, and idx has its type behind two.
bool is_safetensors(const DataSource& source) {
  const std::string_view begin = source.begin;
  if (begin.size() <= kSizeBytes || begin[kSizeBytes] != '{') {
    return false;
  }
  const bool has_idx_type = begin[0] == 0 && begin[1] == 0 && begin[2] >= 8 && begin[2] <= 14;
  return header_size(source.begin) <= source.file->size() - kSizeBytes ||
         (begin.substr(0, kSizeBytes).find('\0') != std::string_view::npos && !has_idx_type);
}

Columns read_safetensors(const DataSource& source) {
  const auto size = header_size(source.begin);
  const auto most = std::min(kMostHeader, source.file->size() - kSizeBytes);
  if (size > most) {
    throw FileError("'" + source.path + "' is truncated or damaged: its header is said to have " +
                    std::to_string(size) + " bytes; expected " + std::to_string(most) + " at most");
  }
  std::string text(size, '\0');
  source.file->read(kSizeBytes, text.data(), text.size());
  Columns columns;
  try {
    const auto header = nlohmann::ordered_json::parse(text);
    text.clear();
    text.shrink_to_fit();
    for (const auto& [name, entry] : header.items()) {
      if (name != "__metadata__") {
        columns.push_back(column_of(name, entry, source, kSizeBytes + size));
      }
    }
  } catch (const nlohmann::json::exception& error) {
    throw FileError("'" + source.path + "' is damaged: its safetensors header cannot be read (" +
                    std::string(error.what()).substr(0, 120) + ")");
  }
  return columns;
}

}  // namespace actswap
