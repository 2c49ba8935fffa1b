#include <actswap/base/error.h>
#include <actswap/data/tar_files.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

namespace actswap {

namespace {

constexpr std::uint64_t kBlock = 512;
constexpr std::uint64_t kMostNote = 1 << 20;  // of a long name or a pax record
constexpr std::size_t kChecksum = 148;        // its place in a header

std::string_view field(std::string_view block, std::size_t at, std::size_t size) {
  const auto text = block.substr(at, size);
  return text.substr(0, text.find('\0'));
}

// Octal digits, or binary where the first bit is set; nothing: neither.
std::optional<std::uint64_t> number(std::string_view block, std::size_t at, std::size_t size) {
  auto text = block.substr(at, size);
  std::uint64_t value = 0;
  if ((static_cast<unsigned char>(text[0]) & 0x80U) != 0) {
    for (std::size_t i = 1; i < text.size(); ++i) {
      if (value > (std::numeric_limits<std::uint64_t>::max() >> 8)) {
        return std::nullopt;
      }
      value = (value << 8) | static_cast<unsigned char>(text[i]);
    }
    return value;
  }
  text = text.substr(0, text.find('\0'));
  const auto begin = text.find_first_not_of(' ');
  text.remove_prefix(std::min(begin, text.size()));
  text = text.substr(0, text.find(' '));
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole || text.empty() ? std::optional(value) : std::nullopt;
}

// What a pax record or a long name says of the file that follows.
struct Note {
  std::optional<std::string> name;
  std::optional<std::uint64_t> size;
};

// "30 path=some/name.jpg\n": the length counts itself.
bool read_pax(std::string_view text, Note& note) {
  while (!text.empty()) {
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
    const auto digits = static_cast<std::size_t>(end - text.data());
    if (error != std::errc() || length <= digits + 1 || length > text.size()) {
      return false;
    }
    const auto record = text.substr(digits + 1, length - digits - 2);  // without the line's end
    const auto equals = record.find('=');
    if (equals == std::string_view::npos) {
      return false;
    }
    const auto key = record.substr(0, equals);
    const auto value = record.substr(equals + 1);
    if (key == "path") {
      note.name = value;
    } else if (key == "size") {
      std::uint64_t size = 0;
      std::from_chars(value.data(), value.data() + value.size(), size);
      note.size = size;
    }
    text.remove_prefix(length);
  }
  return true;
}

class Archive {
 public:
  explicit Archive(const DataFile& file) : file_(file) {}

  // false: the end.
  bool next(TarFile& found) {
    for (;;) {
      if (at_ == file_.size()) {
        return false;  // many programs write no blocks of zeros at the end
      }
      const auto block = read(at_, kBlock);
      if (block.find_first_not_of('\0') == std::string::npos) {
        return false;
      }
      if (!is_tar_header(block)) {
        fail("its header has a wrong checksum");
      }
      if (take(block, found)) {
        return true;
      }
    }
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw FileError("'" + file_.path() + "' is damaged: the tar entry at byte " +
                    std::to_string(at_) + ": " + why);
  }

  std::string read(std::uint64_t offset, std::uint64_t size) const {
    std::string bytes(size, '\0');
    file_.read(offset, bytes.data(), bytes.size());
    return bytes;
  }

  // Whether it is a file; otherwise it may be a note on the next one, or of no interest.
  bool take(const std::string& block, TarFile& found) {
    const char type = block[156];
    auto size = number(block, 124, 12);
    const bool is_note = type == 'L' || type == 'K' || type == 'x' || type == 'g';
    if (note_.size && !is_note) {
      size = note_.size;
    }
    const auto content = at_ + kBlock;
    if (!size || *size > file_.size() - std::min(content, file_.size())) {
      fail("it is said to have more bytes than the archive");
    }
    if (is_note) {
      read_note(type, content, *size);
    }
    at_ = std::min(content + (*size + kBlock - 1) / kBlock * kBlock, file_.size());
    if (is_note) {
      return false;
    }
    const auto note = std::exchange(note_, {});
    found = {note.name.value_or(name_in(block)), content, *size};
    return type == '0' || type == '\0' || type == '7';
  }

  void read_note(char type, std::uint64_t content, std::uint64_t size) {
    if (size > kMostNote) {
      fail("its name has " + std::to_string(size) + " bytes");
    }
    const auto text = read(content, size);
    if (type == 'L') {
      note_.name = text.substr(0, text.find('\0'));
    } else if (type == 'x' && !read_pax(text, note_)) {
      fail("its pax record cannot be read");
    }
  }

  static std::string name_in(std::string_view block) {
    const auto prefix = block.substr(257, 6) == std::string_view("ustar\0", 6)
                            ? field(block, 345, 155)
                            : std::string_view();
    const auto name = std::string(field(block, 0, 100));
    return prefix.empty() ? name : std::string(prefix) + "/" + name;
  }

  const DataFile& file_;
  std::uint64_t at_ = 0;
  Note note_ = {};
};

}  // namespace

bool is_tar_header(const std::string& block) {
  if (block.size() < kBlock) {
    return false;
  }
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    const bool is_in_checksum = i >= kChecksum && i < kChecksum + 8;
    sum += is_in_checksum ? ' ' : static_cast<unsigned char>(block[i]);
  }
  return number(block, kChecksum, 8) == sum && sum > std::uint64_t{8} * ' ';
}

void for_each_tar_file(const DataFile& archive, const std::function<void(TarFile)>& take) {
  Archive reader(archive);
  for (TarFile file; reader.next(file);) {
    take(std::move(file));
  }
}

}  // namespace actswap
