// The idx format (LeCun, MNIST): two zero bytes, the element type, the number of dimensions, each
// dimension as a big-endian uint32, then the elements, big-endian, the last dimension fastest.
#include <actswap/base/activity.h>
#include <actswap/base/error.h>
#include <actswap/data/format.h>
#include <actswap/data/gzip.h>

#include <torch/types.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <filesystem>

namespace actswap {

namespace {

struct IdxType {
  unsigned char code;
  torch::ScalarType type;
};
constexpr std::array<IdxType, 6> kIdxTypes = {{{0x08, torch::kUInt8},
                                               {0x09, torch::kInt8},
                                               {0x0b, torch::kInt16},
                                               {0x0c, torch::kInt32},
                                               {0x0d, torch::kFloat32},
                                               {0x0e, torch::kFloat64}}};
// A damaged header must not ask for all memory, nor for more dimensions than LibTorch's kernels
// take.
constexpr std::int64_t kMostElements = std::int64_t{1} << 36;
constexpr int kMostIdxDimensions = 32;

std::string hex(const std::array<unsigned char, 4>& bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += text.empty() ? "" : " ";
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

class IdxFile {
 public:
  explicit IdxFile(const std::string& path) : path_(path), file_(checked(path)) {}

  void read(void* data, std::size_t size, const std::string& what) {
    const auto got = file_.read(static_cast<char*>(data), size);
    if (got < size) {
      throw FileError("'" + path_ + "' is truncated: expected " + std::to_string(size) +
                      " bytes of " + what + ", but it ends after " + std::to_string(got));
    }
  }

  // Goes on to the end also because that is where gzip's checksum is.
  void expect_end() {
    char extra = 0;
    if (file_.read(&extra, 1) > 0) {
      throw FileError("'" + path_ + "' holds more bytes than its header's dimensions say");
    }
  }

  std::uint64_t most_bytes() const { return file_.most_bytes(); }

 private:
  // Before the opening: opening a pipe waits for someone to write to it.
  static const std::string& checked(const std::string& path) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (status.type() == std::filesystem::file_type::not_found) {
      throw FileError("Cannot read '" + path + "': there is no such file");
    }
    if (!std::filesystem::is_regular_file(status)) {
      throw FileError("Cannot read '" + path +
                      "': expected an idx file, but it is no regular file");
    }
    return path;
  }

  std::string path_;
  GzipFile file_;
};

const IdxType& element_type(const std::array<unsigned char, 4>& magic, const std::string& path) {
  const auto* type =
      std::find_if(kIdxTypes.begin(), kIdxTypes.end(),
                   [&](const IdxType& candidate) { return candidate.code == magic[2]; });
  if (magic[0] != 0 || magic[1] != 0 || type == kIdxTypes.end() || magic[3] == 0 ||
      magic[3] > kMostIdxDimensions) {
    throw FileError("'" + path +
                    "' is not an idx file: expected 00 00, an element type (08, 09, 0b to 0e) and "
                    "the number of dimensions (01 to 20), but it begins with " +
                    hex(magic));
  }
  return *type;
}

std::vector<std::int64_t> read_shape(IdxFile& file, int dimensions, const std::string& path) {
  std::vector<std::int64_t> shape;
  std::int64_t elements = 1;  // with empty dimensions as 1: strides are computed that way
  for (int i = 0; i < dimensions; ++i) {
    std::array<unsigned char, 4> size{};
    file.read(size.data(), size.size(), "a dimension");
    shape.push_back((std::int64_t{size[0]} << 24) | (size[1] << 16) | (size[2] << 8) | size[3]);
    const std::int64_t factor = std::max<std::int64_t>(shape.back(), 1);
    if (elements > kMostElements / factor) {
      throw FileError("'" + path + "' is damaged: its header asks for more than 2^36 elements");
    }
    elements *= factor;
  }
  return shape;
}

torch::Tensor allocate_elements(const std::vector<std::int64_t>& shape, torch::ScalarType type,
                                const IdxFile& file, const std::string& path) {
  auto bytes = static_cast<std::int64_t>(c10::elementSize(type));
  for (const std::int64_t size : shape) {
    bytes *= size;
  }
  if (static_cast<std::uint64_t>(bytes) > file.most_bytes()) {
    throw FileError("'" + path + "' is truncated: its header asks for " + std::to_string(bytes) +
                    " bytes, more than the file can hold");
  }
  return allocate(shape, type, "'" + path + "'");
}

void to_native_order(torch::Tensor& tensor) {
  const auto width = static_cast<std::size_t>(tensor.element_size());
  if (width == 1 || std::endian::native == std::endian::big) {
    return;
  }
  auto* bytes = static_cast<unsigned char*>(tensor.data_ptr());
  for (std::size_t i = 0; i < tensor.nbytes(); i += width) {
    std::reverse(bytes + i, bytes + i + width);
  }
}

}  // namespace

torch::Tensor read_idx(const std::string& path) {
  const Reading reading(path);
  IdxFile file(path);
  std::array<unsigned char, 4> magic{};
  file.read(magic.data(), magic.size(), "header");
  const auto& type = element_type(magic, path);
  const auto shape = read_shape(file, magic[3], path);
  auto tensor = allocate_elements(shape, type.type, file, path);
  file.read(tensor.data_ptr(), tensor.nbytes(), "elements");
  file.expect_end();
  to_native_order(tensor);
  return tensor;
}

// Plain or gzip; files of other kinds that gzip has compressed are refused by read_idx.
bool is_idx(const DataSource& source) {
  return source.begin.starts_with("\x1f\x8b") ||
         (source.begin.size() >= 2 && source.begin[0] == 0 && source.begin[1] == 0);
}

Columns read_idx_file(const DataSource& source) {
  const auto name = std::filesystem::path(source.path).filename().string();
  return {tensor_column(name.substr(0, name.find('.')), read_idx(source.path))};
}

}  // namespace actswap
