#include <actswap/archive/zip.h>
#include <actswap/base/error.h>
#include <actswap/data/format.h>
#include <actswap/data/npy.h>

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <memory>

namespace actswap {

namespace {

constexpr std::string_view kEnding = ".npy";

void check_size(const StoredArray& array, std::uint64_t size, const std::string& what) {
  const auto wanted = array.bytes(what);
  if (wanted != size - array.offset) {
    throw FileError(what + (wanted > size - array.offset ? " is truncated" : " is damaged") +
                    ": its header asks for " + std::to_string(wanted) +
                    " bytes of elements, but it holds " + std::to_string(size - array.offset));
  }
}

// The tensor of an array whose first dimension varies fastest, with its rows one after the other.
torch::Tensor transposed(const torch::Tensor& flat, std::vector<std::int64_t> shape) {
  std::reverse(shape.begin(), shape.end());
  std::vector<std::int64_t> dimensions;
  for (std::size_t i = shape.size(); i > 0; --i) {
    dimensions.push_back(static_cast<std::int64_t>(i) - 1);
  }
  return flat.view(shape).permute(dimensions).contiguous();
}

// The elements, from their bytes, which `read` writes to where it is told.
template <typename Read>
torch::Tensor read_elements(const NpyHeader& header, const std::string& what, Read read) {
  auto elements = allocate(header.array.shape, header.array.type, what);
  read(elements.data_ptr(), elements.nbytes());
  elements = to_native(std::move(elements), header.array.is_big_endian, what);
  return header.is_column_major ? transposed(elements, header.array.shape) : elements;
}

// An array that lies in a file as it is.
NamedColumn column_in_file(const std::string& name, const std::shared_ptr<const DataFile>& file,
                           std::uint64_t offset, std::uint64_t size, const std::string& what) {
  std::string begin(std::min<std::uint64_t>(size, kMostNpyHeader), '\0');
  file->read(offset, begin.data(), begin.size());
  auto header = read_npy_header(begin, what);
  if (!header.problem.empty()) {
    return {name, nullptr, header.problem};
  }
  check_size(header.array, size, what);
  header.array.offset += offset;
  if (header.is_column_major && header.array.shape.size() > 1) {
    return tensor_column(name, read_elements(header, what, [&](void* to, std::size_t count) {
                           file->read(header.array.offset, to, count);
                         }));
  }
  return stored_column(name, file, header.array);
}

std::string name_of_member(const std::string& name) {
  return name.ends_with(kEnding) ? name.substr(0, name.size() - kEnding.size()) : name;
}

}  // namespace

torch::Tensor npy_tensor(std::string_view bytes, const std::string& what) {
  const auto header = read_npy_header(bytes.substr(0, kMostNpyHeader), what);
  if (!header.problem.empty()) {
    throw FileError("Cannot read " + what + ": " + header.problem);
  }
  check_size(header.array, bytes.size(), what);
  return read_elements(header, what, [&](void* to, std::size_t count) {
    std::memcpy(to, bytes.data() + header.array.offset, count);
  });
}

namespace {

// The first bytes of a compressed record, as many as a header has at most. Damage behind them shows
// when the whole is read.
std::string first_bytes(const DataFile& file, const ZipRecord& record) {
  std::string packed(std::min<std::uint64_t>(record.stored_size, 2 * kMostNpyHeader), '\0');
  file.read(record.offset, packed.data(), packed.size());
  std::string bytes(std::min<std::uint64_t>(record.size, kMostNpyHeader), '\0');
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) {
    throw std::bad_alloc();
  }
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<unsigned char*>(packed.data());
  stream.avail_in = static_cast<unsigned>(packed.size());
  stream.next_out = reinterpret_cast<unsigned char*>(bytes.data());
  stream.avail_out = static_cast<unsigned>(bytes.size());
  inflate(&stream, Z_NO_FLUSH);
  bytes.resize(bytes.size() - stream.avail_out);
  return bytes;
}

// Its header shows, before memory is taken, whether the array is as the directory says.
NamedColumn inflated_column(const ZipArchive& archive, const DataFile& file,
                            const ZipRecord& record, const std::string& what) {
  const auto name = name_of_member(record.name);
  const auto header = read_npy_header(first_bytes(file, record), what);
  if (!header.problem.empty()) {
    return {name, nullptr, header.problem};
  }
  check_size(header.array, record.size, what);
  check_memory(2 * record.size, what);  // as bytes, then as a tensor
  return tensor_column(name, npy_tensor(archive.read(record), what));
}

}  // namespace

bool is_npy(const DataSource& source) {
  return source.begin.starts_with("\x93NUMPY");
}

Columns read_npy(const DataSource& source) {
  const auto name = name_of_member(std::filesystem::path(source.path).filename().string());
  return {column_in_file(name, source.file, 0, source.file->size(), "'" + source.path + "'")};
}

// A zip archive whose first file ends in .npy.
bool is_npz(const DataSource& source) {
  constexpr std::size_t kHeader = 30;
  const std::string_view begin = source.begin;
  if (!begin.starts_with("PK\x03\x04") || begin.size() < kHeader) {
    return false;
  }
  const auto size =
      static_cast<unsigned char>(begin[26]) + 256U * static_cast<unsigned char>(begin[27]);
  return begin.substr(kHeader, size).ends_with(kEnding);
}

Columns read_npz(const DataSource& source) {
  const ZipArchive archive(source.path);
  std::vector<const ZipRecord*> records;  // in the order in which they were written
  for (const auto& [name, record] : archive.records()) {
    records.push_back(&record);
  }
  std::sort(records.begin(), records.end(),
            [](const auto* a, const auto* b) { return a->offset < b->offset; });
  Columns columns;
  for (const auto* record : records) {
    const auto what = "'" + record->name + "' in '" + source.path + "'";
    if (!record->name.ends_with(kEnding)) {
      columns.push_back({record->name, nullptr, "it is not a .npy file"});
    } else if (record->is_deflated) {
      columns.push_back(inflated_column(archive, *source.file, *record, what));
    } else {
      columns.push_back(column_in_file(name_of_member(record->name), source.file, record->offset,
                                       record->size, what));
    }
  }
  return columns;
}

}  // namespace actswap
