#include <actswap/base/error.h>
#include <actswap/data/gzip.h>

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>
#include <system_error>

namespace actswap {

namespace {

constexpr std::size_t kBuffer = 1 << 16;
constexpr int kGzipAlone = 16 + MAX_WBITS;

void end_stream(z_stream_s* stream) {
  inflateEnd(stream);
  delete stream;
}

}  // namespace

GzipFile::GzipFile(const std::string& path) : path_(path), stream_(nullptr, end_stream) {
  errno = 0;
  file_.open(path, std::ios::binary);
  std::error_code error;
  size_on_disk_ = std::filesystem::file_size(path, error);
  if (!file_ || error) {
    throw FileError("Cannot read '" + path +
                    "': " + (error ? error.message() : std::string(std::strerror(errno))));
  }
  const int first = file_.get();
  const int second = file_.get();
  file_.clear();
  file_.seekg(0);
  if (first == 0x1f && second == 0x8b) {
    buffer_.resize(kBuffer);
    stream_.reset(new z_stream_s());
    is_inside_ = true;
    if (inflateInit2(stream_.get(), kGzipAlone) != Z_OK) {
      throw std::bad_alloc();
    }
  }
}

GzipFile::~GzipFile() = default;

std::uint64_t GzipFile::most_bytes() const {
  return stream_ ? size_on_disk_ * 1032 : size_on_disk_;
}

std::size_t GzipFile::read_file(char* to, std::size_t size) {
  file_.read(to, static_cast<std::streamsize>(size));
  if (file_.bad()) {
    throw FileError("Cannot read '" + path_ + "': " + std::strerror(errno));
  }
  return static_cast<std::size_t>(file_.gcount());
}

void GzipFile::fill() {
  if (stream_->avail_in == 0) {
    stream_->next_in = reinterpret_cast<unsigned char*>(buffer_.data());
    stream_->avail_in = static_cast<unsigned>(read_file(buffer_.data(), buffer_.size()));
  }
}

std::size_t GzipFile::read(char* to, std::size_t size) {
  if (!stream_) {
    return read_file(to, size);
  }
  constexpr std::size_t kMost = 1U << 30;
  std::size_t done = 0;
  while (done < size) {
    fill();
    if (stream_->avail_in == 0) {
      if (is_inside_) {
        throw FileError("'" + path_ + "' is truncated: its gzip stream has no end");
      }
      return done;
    }
    if (!is_inside_) {  // another member follows: its content belongs to that of the first
      inflateReset(stream_.get());
      is_inside_ = true;
    }
    const auto step = std::min(size - done, kMost);
    stream_->next_out = reinterpret_cast<unsigned char*>(to + done);
    stream_->avail_out = static_cast<unsigned>(step);
    const int result = inflate(stream_.get(), Z_NO_FLUSH);
    done += step - stream_->avail_out;
    if (result == Z_STREAM_END) {
      is_inside_ = false;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      throw FileError("'" + path_ + "' is damaged: its gzip stream cannot be read" +
                      (stream_->msg == nullptr ? "" : " (" + std::string(stream_->msg) + ")"));
    }
  }
  return done;
}

}  // namespace actswap
