// The idx format (LeCun, MNIST): two zero bytes, the element type, the number of dimensions, each
// dimension as a big-endian uint32, then the elements, big-endian, the last dimension fastest.
#include <actswap/base/error.h>
#include <actswap/data/load.h>

#include <torch/types.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

namespace actswap {

namespace {

struct ElementType {
  unsigned char code;
  torch::ScalarType type;
};
constexpr std::array<ElementType, 6> kTypes = {{{0x08, torch::kUInt8},
                                                {0x09, torch::kInt8},
                                                {0x0b, torch::kInt16},
                                                {0x0c, torch::kInt32},
                                                {0x0d, torch::kFloat32},
                                                {0x0e, torch::kFloat64}}};
// A damaged header must not ask for all memory, nor for more dimensions than LibTorch's kernels
// take.
constexpr std::int64_t kMostElements = std::int64_t{1} << 36;
constexpr int kMostDimensions = 32;

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

// Reads plain files as well as gzip ones: zlib tells them apart by content.
class IdxFile {
 public:
  explicit IdxFile(const std::string& path) : path_(path) {
    // Before the opening: opening a pipe waits for someone to write to it.
    std::error_code error;
    if (!std::filesystem::exists(path, error)) {
      throw FileError("Cannot read '" + path + "': there is no such file");
    }
    if (!std::filesystem::is_regular_file(path, error)) {
      throw FileError("Cannot read '" + path +
                      "': expected an idx file, but it is no regular file");
    }
    size_on_disk_ = static_cast<std::int64_t>(std::filesystem::file_size(path, error));
    errno = 0;
    file_.reset(gzopen(path.c_str(), "rb"));
    if (error || !file_) {
      throw FileError("Cannot read '" + path +
                      "': " + (errno != 0 ? std::strerror(errno) : error.message().c_str()));
    }
  }

  void read(void* data, std::size_t size, const std::string& what) {
    auto* bytes = static_cast<char*>(data);
    std::size_t left = size;
    while (left > 0) {
      const auto step = static_cast<unsigned>(std::min<std::size_t>(left, 1U << 30));
      const int got = gzread(file_.get(), bytes, step);
      if (got <= 0) {
        check_gzip();
        throw FileError("'" + path_ + "' is truncated: expected " + std::to_string(size) +
                        " bytes of " + what + ", but it ends after " + std::to_string(size - left));
      }
      bytes += got;
      left -= static_cast<std::size_t>(got);
    }
  }

  // Goes on to the end also because that is where gzip's checksum is.
  void expect_end() {
    char extra = 0;
    if (gzread(file_.get(), &extra, 1) > 0) {
      throw FileError("'" + path_ + "' holds more bytes than its header's dimensions say");
    }
    check_gzip();
  }

  /// The most bytes that can be left in the file: gzip shrinks by a factor of 1032 at most.
  std::int64_t most_bytes() const {
    return gzdirect(file_.get()) != 0 ? size_on_disk_ : size_on_disk_ * 1032;
  }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };

  void check_gzip() const {
    int code = Z_OK;
    const char* reason = gzerror(file_.get(), &code);
    if (code == Z_BUF_ERROR) {
      throw FileError("'" + path_ + "' is truncated: its gzip stream has no end");
    }
    if (code != Z_OK && code != Z_STREAM_END) {
      throw FileError("'" + path_ +
                      "' is damaged: " + (code == Z_ERRNO ? std::strerror(errno) : reason));
    }
  }

  std::string path_;
  std::int64_t size_on_disk_ = 0;
  std::unique_ptr<gzFile_s, Close> file_;
};

const ElementType& element_type(const std::array<unsigned char, 4>& magic,
                                const std::string& path) {
  const auto* type = std::find_if(kTypes.begin(), kTypes.end(), [&](const ElementType& candidate) {
    return candidate.code == magic[2];
  });
  if (magic[0] != 0 || magic[1] != 0 || type == kTypes.end() || magic[3] == 0 ||
      magic[3] > kMostDimensions) {
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

torch::Tensor allocate(const std::vector<std::int64_t>& shape, torch::ScalarType type,
                       const IdxFile& file, const std::string& path) {
  auto bytes = static_cast<std::int64_t>(c10::elementSize(type));
  for (const std::int64_t size : shape) {
    bytes *= size;
  }
  if (bytes > file.most_bytes()) {
    throw FileError("'" + path + "' is truncated: its header asks for " + std::to_string(bytes) +
                    " bytes, more than the file can hold");
  }
  try {
    return torch::empty(shape, type);
  } catch (const std::exception&) {
    throw FileError("Cannot read '" + path + "': its " + std::to_string(bytes) +
                    " bytes do not fit in memory");
  }
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
  IdxFile file(path);
  std::array<unsigned char, 4> magic{};
  file.read(magic.data(), magic.size(), "header");
  const auto& type = element_type(magic, path);
  const auto shape = read_shape(file, magic[3], path);
  auto tensor = allocate(shape, type.type, file, path);
  file.read(tensor.data_ptr(), tensor.nbytes(), "elements");
  file.expect_end();
  to_native_order(tensor);
  return tensor;
}

}  // namespace actswap
