#include <actswap/base/error.h>
#include <actswap/data/npy.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>

namespace actswap {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

struct NpyType {
  std::string_view code;
  torch::ScalarType type;
};
constexpr std::array<NpyType, 14> kNpyTypes = {{{"b1", torch::kBool},
                                                {"i1", torch::kInt8},
                                                {"u1", torch::kUInt8},
                                                {"i2", torch::kInt16},
                                                {"u2", torch::kUInt16},
                                                {"i4", torch::kInt32},
                                                {"u4", torch::kUInt32},
                                                {"i8", torch::kInt64},
                                                {"u8", torch::kUInt64},
                                                {"f2", torch::kFloat16},
                                                {"f4", torch::kFloat32},
                                                {"f8", torch::kFloat64},
                                                {"c8", torch::kComplexFloat},
                                                {"c16", torch::kComplexDouble}}};

// {'descr': '<f4', 'fortran_order': False, 'shape': (10, 3), }
class Dictionary {
 public:
  Dictionary(std::string_view text, const std::string& what) : left_(text), what_(what) {}

  NpyHeader read() {
    NpyHeader header;
    expect('{');
    while (!take('}')) {
      const auto key = string();
      expect(':');
      if (key == "descr") {
        read_type(header);
        if (!header.problem.empty()) {
          return header;
        }
      } else if (key == "fortran_order") {
        header.is_column_major = truth();
      } else if (key == "shape") {
        header.array.shape = shape();
      } else {
        fail("it has an unknown key");
      }
      ++keys_;
      take(',');
    }
    if (keys_ != 3) {
      fail("expected the keys descr, fortran_order and shape");
    }
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw FileError(what_ + " is damaged: its .npy header cannot be read: " + why);
  }

  void skip_space() {
    left_.remove_prefix(std::min(left_.find_first_not_of(" \n\t"), left_.size()));
  }
  bool take(char c) {
    skip_space();
    const bool is_there = left_.starts_with(c);
    left_.remove_prefix(is_there ? 1 : 0);
    return is_there;
  }
  void expect(char c) {
    if (!take(c)) {
      fail(std::string("there is no '") + c + "' where it should be");
    }
  }
  bool take_word(std::string_view word) {
    skip_space();
    const bool is_there = left_.starts_with(word);
    left_.remove_prefix(is_there ? word.size() : 0);
    return is_there;
  }

  std::string_view string() {
    skip_space();
    const char quote = left_.empty() ? '\0' : left_[0];
    const auto end = quote == '\'' || quote == '"' ? left_.find(quote, 1) : std::string_view::npos;
    if (end == std::string_view::npos) {
      fail("a string is missing");
    }
    const auto text = left_.substr(1, end - 1);
    left_.remove_prefix(end + 1);
    return text;
  }

  bool truth() {
    if (take_word("True")) {
      return true;
    }
    if (!take_word("False")) {
      fail("expected True or False");
    }
    return false;
  }

  std::vector<std::int64_t> shape() {
    std::vector<std::int64_t> sizes;
    expect('(');
    while (!take(')')) {
      skip_space();
      std::int64_t size = -1;
      const auto [end, error] = std::from_chars(left_.data(), left_.data() + left_.size(), size);
      if (error != std::errc() || size < 0) {
        fail("its shape is no tuple of sizes");
      }
      left_.remove_prefix(static_cast<std::size_t>(end - left_.data()));
      take('L');  // of Python 2
      take(',');
      sizes.push_back(size);
    }
    return sizes;
  }

  void read_type(NpyHeader& header) {
    if (take('[')) {  // of a structured array
      header.problem = "its entries are records of several fields; save each field as an array";
      return;
    }
    const auto text = string();
    const char order = text.empty() ? '\0' : text[0];
    const auto code = text.substr(text.empty() ? 0 : 1);
    const auto* found = std::find_if(kNpyTypes.begin(), kNpyTypes.end(),
                                     [&](const NpyType& type) { return type.code == code; });
    if (found == kNpyTypes.end() ||
        std::string_view("<>|=").find(order) == std::string_view::npos) {
      header.problem =
          code.starts_with('O')
              ? "it holds Python objects; save numbers: numpy.save(FILE, numpy.stack(list(array)))"
              : "its elements are of numpy's type '" + std::string(text.substr(0, 16)) +
                    "'; expected numbers or bools: array.astype('float32')";
      return;
    }
    header.array.type = found->type;
    header.array.is_big_endian =
        order == '>' || (order == '=' && std::endian::native == std::endian::big);
  }

  std::string_view left_;
  const std::string& what_;
  int keys_ = 0;
};

}  // namespace

NpyHeader read_npy_header(std::string_view begin, const std::string& what) {
  if (!begin.starts_with(kMagic) || begin.size() < 12) {
    throw FileError(what + " is not a .npy file, or is cut off within its first 12 bytes");
  }
  const int version = static_cast<unsigned char>(begin[6]);
  if (version < 1 || version > 3) {
    throw FileError(what + " is of version " + std::to_string(version) +
                    " of the .npy format; expected 1 to 3");
  }
  const std::size_t width = version == 1 ? 2 : 4;
  std::size_t size = 0;
  for (std::size_t i = 0; i < width; ++i) {
    size |= std::size_t{static_cast<unsigned char>(begin[8 + i])} << (8 * i);
  }
  const auto start = 8 + width;
  if (size > begin.size() - start) {
    throw FileError(what + " is damaged: its .npy header is said to have " + std::to_string(size) +
                    " bytes, more than there are or than 65536");
  }
  auto header = Dictionary(begin.substr(start, size), what).read();
  header.array.offset = start + size;
  return header;
}

}  // namespace actswap
