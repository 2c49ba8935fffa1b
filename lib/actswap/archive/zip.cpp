// The format: APPNOTE.TXT of PKWARE. All numbers are little-endian.
#include <actswap/archive/zip.h>
#include <actswap/base/error.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

namespace actswap {

namespace {

constexpr std::string_view kEnd = "PK\x05\x06";  // of the directory; 22 bytes and a comment
constexpr std::size_t kEndSize = 22;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::size_t kEnd64Size = 56;
constexpr std::uint32_t kLocator64 = 0x07064b50;
constexpr std::size_t kLocator64Size = 20;
constexpr std::uint32_t kEntry = 0x02014b50;
constexpr std::size_t kEntrySize = 46;
constexpr std::uint32_t kLocal = 0x04034b50;
constexpr std::size_t kLocalSize = 30;
constexpr std::uint16_t kEncrypted = 1;
constexpr std::uint16_t kStored = 0;
constexpr std::uint16_t kDeflated = 8;
constexpr std::uint64_t kMostDeflation = 1032;  // times smaller, at most
constexpr std::size_t kPiece = 1 << 18;

std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t width) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    value |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  }
  return value;
}
std::uint16_t number16(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(number(bytes, at, 2));
}
std::uint32_t number32(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint32_t>(number(bytes, at, 4));
}

// Of zip64: the numbers that do not fit into 32 bits, in this order, stand in an extra field.
void read_zip64(std::string_view extra, std::uint64_t& size, std::uint64_t& stored_size,
                std::uint64_t& header) {
  constexpr std::uint16_t kTag = 1;
  constexpr std::uint64_t kElsewhere = 0xffffffff;
  while (extra.size() >= 4) {
    const auto tag = number16(extra, 0);
    const std::size_t length = number16(extra, 2);
    auto field = extra.substr(4, length);
    if (tag == kTag && field.size() == length) {
      for (auto* value : {&size, &stored_size, &header}) {
        if (*value == kElsewhere && field.size() >= 8) {
          *value = number(field, 0, 8);
          field.remove_prefix(8);
        }
      }
      return;
    }
    extra.remove_prefix(std::min(extra.size(), 4 + length));
  }
}

}  // namespace

// Bytes of a file or of memory.
class ZipArchive::Source {
 public:
  explicit Source(const std::string& path)
      : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat status = {};
    if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0) {
      throw FileError("Cannot read '" + path + "': " + std::strerror(errno));
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
  }
  explicit Source(std::string_view bytes) : bytes_(bytes), size_(bytes.size()) {}
  ~Source() {
    if (descriptor_ >= 0) {
      ::close(descriptor_);
    }
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  std::uint64_t size() const { return size_; }

  /// false: there are fewer bytes, or they cannot be read.
  bool read(std::uint64_t offset, char* to, std::size_t size) const {
    if (offset > size_ || size > size_ - offset) {
      return false;
    }
    if (descriptor_ < 0) {
      std::memcpy(to, bytes_.data() + offset, size);
      return true;
    }
    while (size > 0) {
      const auto count = ::pread(descriptor_, to, size, static_cast<off_t>(offset));
      if (count <= 0 && !(count < 0 && errno == EINTR)) {
        return false;
      }
      const auto got = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
      to += got;
      offset += got;
      size -= got;
    }
    return true;
  }

  /// Empty where read() is false.
  std::string read(std::uint64_t offset, std::uint64_t size) const {
    std::string bytes;
    if (offset <= size_ && size <= size_ - offset) {
      bytes.resize(size);
      bytes.resize(read(offset, bytes.data(), bytes.size()) ? bytes.size() : 0);
    }
    return bytes;
  }

 private:
  int descriptor_ = -1;
  std::string_view bytes_ = {};
  std::uint64_t size_ = 0;
};

struct ZipArchive::Directory {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint64_t entries = 0;
};

ZipArchive::ZipArchive(const std::string& path)
    : name_(path), source_(std::make_unique<Source>(path)) {
  read_directory();
}

ZipArchive::ZipArchive(std::string_view bytes, const std::string& name)
    : name_(name), source_(std::make_unique<Source>(bytes)) {
  read_directory();
}

ZipArchive::~ZipArchive() = default;

std::string ZipArchive::name() const {
  return "'" + name_ + "'";
}

void ZipArchive::fail(const std::string& what) const {
  throw FileError(name() + " is damaged: " + what);
}

const ZipRecord* ZipArchive::find(std::string_view name) const {
  const auto found = records_.find(name);
  return found == records_.end() ? nullptr : &found->second;
}

ZipArchive::Directory ZipArchive::find_directory() const {
  constexpr std::uint64_t kLongestComment = 0xffff;
  const auto size = source_->size();
  const auto tail_size = std::min(size, kLongestComment + kEndSize);
  const auto tail = source_->read(size - tail_size, tail_size);
  const auto at = tail.rfind(kEnd);
  if (at == std::string::npos || tail.size() - at < kEndSize) {
    throw FileError(name() + " is truncated or damaged: its zip directory cannot be read");
  }
  if (kEndSize + number16(tail, at + 20) != tail.size() - at) {
    fail("its zip directory does not end where the file does");
  }
  Directory found{number32(tail, at + 16), number32(tail, at + 12), number16(tail, at + 10)};
  auto end = size - tail.size() + at;
  const auto locator =
      end < kLocator64Size ? "" : source_->read(end - kLocator64Size, kLocator64Size);
  if (locator.size() == kLocator64Size && number32(locator, 0) == kLocator64) {
    const auto end64 = source_->read(number(locator, 8, 8), kEnd64Size);
    if (end64.size() != kEnd64Size || number32(end64, 0) != kEnd64) {
      fail("the end of its zip64 directory is not where it should be");
    }
    end = number(locator, 8, 8);
    found = {number(end64, 48, 8), number(end64, 40, 8), number(end64, 32, 8)};
  }
  if (found.offset > end || found.size != end - found.offset) {
    fail("its zip directory is not where it should be");
  }
  return found;
}

void ZipArchive::read_directory() {
  const auto directory = find_directory();
  const auto bytes = source_->read(directory.offset, directory.size);
  std::string_view left = bytes;
  std::string folder;
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    if (left.size() < kEntrySize || number32(left, 0) != kEntry) {
      fail("entry " + std::to_string(i) + " of its zip directory cannot be read");
    }
    const std::size_t name_size = number16(left, 28);
    const std::size_t extra_size = number16(left, 30);
    const auto entry_size = kEntrySize + name_size + extra_size + number16(left, 32);
    if (left.size() < entry_size) {
      fail("entry " + std::to_string(i) + " of its zip directory is cut off");
    }
    ZipRecord record;
    record.name = left.substr(kEntrySize, name_size);
    record.crc = number32(left, 16);
    has_checksums_ = has_checksums_ || record.crc != 0;
    record.stored_size = number32(left, 20);
    record.size = number32(left, 24);
    std::uint64_t header = number32(left, 42);
    read_zip64(left.substr(kEntrySize + name_size, extra_size), record.size, record.stored_size,
               header);
    const auto method = number16(left, 10);
    if ((number16(left, 8) & kEncrypted) != 0 || (method != kStored && method != kDeflated)) {
      fail("its record '" + record.name +
           "' is encrypted or compressed in a way that PyTorch "
           "does not know");
    }
    record.is_deflated = method == kDeflated;
    left.remove_prefix(entry_size);
    if (i == 0) {
      folder = record.name.substr(0, record.name.find('/') + 1);
    }
    // LibTorch refuses an archive without a folder, numpy writes no other.
    if (record.name.starts_with(folder)) {
      record.name.erase(0, folder.size());
      add_record(std::move(record), header);
    }
  }
  if (!left.empty()) {
    fail("its zip directory has more entries than it says");
  }
  check_order();
}

void ZipArchive::add_record(ZipRecord record, std::uint64_t header) {
  const auto where = "its record '" + record.name + "'";
  const auto local = source_->read(header, kLocalSize);
  if (local.size() != kLocalSize || number32(local, 0) != kLocal) {
    fail(where + " is not where the zip directory says");
  }
  const std::size_t name_size = number16(local, 26);
  const auto local_name = source_->read(header + kLocalSize, name_size);
  record.offset = header + kLocalSize + name_size + number16(local, 28);
  if (!local_name.ends_with(record.name) ||
      number16(local, 8) != (record.is_deflated ? kDeflated : kStored)) {
    fail(where + " is not the one at the place that the zip directory gives");
  }
  if (record.offset > source_->size() || record.stored_size > source_->size() - record.offset) {
    fail(where + " reaches beyond the end of the file: it begins at byte " +
         std::to_string(record.offset) + " and has " + std::to_string(record.stored_size));
  }
  if (!record.is_deflated && record.size != record.stored_size) {
    fail(where + " has two sizes, " + std::to_string(record.size) + " and " +
         std::to_string(record.stored_size) + " bytes");
  }
  if (record.is_deflated && record.size / kMostDeflation > record.stored_size) {
    fail(where + " is said to hold " + std::to_string(record.size) + " bytes, more than " +
         std::to_string(record.stored_size) + " compressed ones can");
  }
  const auto name = record.name;
  if (!records_.emplace(name, std::move(record)).second) {
    fail(where + " is there twice");
  }
}

// If a few bytes served as many records, a small file could expand without limit.
void ZipArchive::check_order() const {
  std::vector<const ZipRecord*> order;
  order.reserve(records_.size());
  for (const auto& [name, record] : records_) {
    order.push_back(&record);
  }
  std::sort(order.begin(), order.end(),
            [](const auto* a, const auto* b) { return a->offset < b->offset; });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (order[i - 1]->stored_size > order[i]->offset - order[i - 1]->offset) {
      fail("its records '" + order[i - 1]->name + "' and '" + order[i]->name + "' overlap");
    }
  }
}

std::string ZipArchive::read(const ZipRecord& record) const {
  std::string content;
  content.reserve(record.size);
  read_content(record, [&](const char* data, std::size_t size) { content.append(data, size); });
  return content;
}

void ZipArchive::check(const ZipRecord& record) const {
  read_content(record, [](const char*, std::size_t) {});
}

void ZipArchive::read_content(const ZipRecord& record, const Sink& sink) const {
  auto crc = crc32(0, nullptr, 0);
  std::uint64_t size = 0;
  const Sink checked = [&](const char* data, std::size_t count) {
    crc = crc32_z(crc, reinterpret_cast<const unsigned char*>(data), count);
    size += count;
    if (size > record.size) {
      fail("its record '" + record.name + "' holds more than the " + std::to_string(record.size) +
           " bytes that the zip directory says");
    }
    sink(data, count);
  };
  if (record.is_deflated) {
    read_deflated(record, checked);
  } else {
    read_stored(record, checked);
  }
  if (size != record.size) {
    fail("its record '" + record.name + "' holds " + std::to_string(size) + " bytes; expected " +
         std::to_string(record.size));
  }
  if (has_checksums_ && crc != record.crc) {
    fail("the checksum of its record '" + record.name + "' is wrong");
  }
}

void ZipArchive::read_stored(const ZipRecord& record, const Sink& sink) const {
  std::vector<char> piece(std::min<std::uint64_t>(kPiece, record.size));
  for (std::uint64_t done = 0; done < record.size;) {
    const auto size = std::min<std::uint64_t>(piece.size(), record.size - done);
    if (!source_->read(record.offset + done, piece.data(), size)) {
      fail("its record '" + record.name + "' cannot be read");
    }
    sink(piece.data(), size);
    done += size;
  }
}

void ZipArchive::read_deflated(const ZipRecord& record, const Sink& sink) const {
  auto stored = source_->read(record.offset, record.stored_size);
  std::vector<char> piece(kPiece);
  z_stream stream = {};
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, inflateEnd);
  int result = inflateInit2(&stream, -MAX_WBITS);
  std::size_t given = 0;
  while (result == Z_OK) {
    if (stream.avail_in == 0) {
      const auto next = std::min<std::size_t>(stored.size() - given, kPiece);
      stream.next_in = reinterpret_cast<unsigned char*>(stored.data() + given);
      stream.avail_in = static_cast<unsigned>(next);
      given += next;
    }
    stream.next_out = reinterpret_cast<unsigned char*>(piece.data());
    stream.avail_out = kPiece;
    result = inflate(&stream, Z_NO_FLUSH);
    sink(piece.data(), kPiece - stream.avail_out);
  }
  if (result != Z_STREAM_END) {
    fail("its record '" + record.name + "' cannot be decompressed");
  }
}

}  // namespace actswap
