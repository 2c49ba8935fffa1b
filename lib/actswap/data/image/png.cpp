// An error leaves libpng by longjmp, so nothing with a destructor is made between setjmp and what
// may jump.
#include <actswap/data/image/image.h>

#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstring>

namespace actswap {

namespace {

struct Reading {
  std::span<const std::uint8_t> left;
  char message[128] = {};
};

[[noreturn]] void fail(png_structp png, png_const_charp message) {
  auto* reading = static_cast<Reading*>(png_get_error_ptr(png));
  std::snprintf(reading->message, sizeof reading->message, "%s", message);
  png_longjmp(png, 1);
}

void ignore(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep to, std::size_t size) {
  auto* reading = static_cast<Reading*>(png_get_io_ptr(png));
  if (size > reading->left.size()) {
    png_error(png, "it ends too early");
  }
  std::memcpy(to, reading->left.data(), size);
  reading->left = reading->left.subspan(size);
}

// Where libpng writes the rows: of three channels to the image itself, of one, of 8 or 16 bits, to
// bytes of their own.
struct Rows {
  bool is_wide_grey = false;
  int channels = 0;
  Image image = {};
  std::vector<std::uint8_t> bytes = {};
  std::vector<png_bytep> pointers = {};
};

// false: reading.message says why.
bool read(png_structp png, png_infop info, Rows& rows) {
  if (setjmp(png_jmpbuf(png)) != 0) {
    return false;
  }
  png_set_user_limits(png, 0x7fffffff, 0x7fffffff);  // make_image has its own
  png_read_info(png, info);
  const auto colour = png_get_color_type(png, info);
  const bool is_wide = png_get_bit_depth(png, info) == 16;
  rows.is_wide_grey = is_wide && colour == PNG_COLOR_TYPE_GRAY;
  rows.image = make_image(png_get_image_height(png, info), png_get_image_width(png, info));
  if (is_wide && !rows.is_wide_grey) {
    png_set_strip_16(png);
  }
  if (colour == PNG_COLOR_TYPE_PALETTE) {
    png_set_palette_to_rgb(png);
  } else if (colour == PNG_COLOR_TYPE_GRAY) {
    png_set_expand_gray_1_2_4_to_8(png);
  }
  png_set_strip_alpha(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  rows.channels = png_get_channels(png, info);
  const auto row_bytes = png_get_rowbytes(png, info);
  const auto height = static_cast<std::size_t>(rows.image.height);
  rows.bytes.resize(rows.channels == 3 ? 0 : row_bytes * height);
  rows.pointers.resize(height);
  for (std::size_t y = 0; y < height; ++y) {
    rows.pointers[y] = rows.channels == 3 ? rows.image.row(static_cast<int>(y))
                                          : rows.bytes.data() + y * row_bytes;
  }
  png_read_image(png, rows.pointers.data());
  png_read_end(png, nullptr);
  return true;
}

// Pillow cuts 16 bits of grey off at 255; libpng gives them big-endian.
std::uint8_t grey_at(const Rows& rows, const std::uint8_t* row, std::ptrdiff_t x) {
  return !rows.is_wide_grey ? row[x] : row[2 * x] > 0 ? std::uint8_t{255} : row[2 * x + 1];
}

struct Reader {
  png_structp png;
  png_infop info;
  explicit Reader(Reading& reading)
      : png(png_create_read_struct(PNG_LIBPNG_VER_STRING, &reading, fail, ignore)),
        info(png == nullptr ? nullptr : png_create_info_struct(png)) {
    if (info == nullptr) {
      png_destroy_read_struct(&png, nullptr, nullptr);
      throw std::bad_alloc();
    }
    png_set_read_fn(png, &reading, read_bytes);
  }
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
};

}  // namespace

Image decode_png(std::span<const std::uint8_t> file) {
  Reading reading{file};
  const Reader reader(reading);
  Rows rows;
  if (!read(reader.png, reader.info, rows)) {
    throw ImageError("its PNG data is damaged or truncated (" + std::string(reading.message) + ")");
  }
  auto& image = rows.image;
  for (int y = 0; y < image.height && rows.channels == 1; ++y) {
    const auto* from = rows.pointers[static_cast<std::size_t>(y)];
    auto* to = image.row(y);
    for (int x = 0; x < image.width; ++x, to += 3) {
      std::fill_n(to, 3, grey_at(rows, from, x));
    }
  }
  return std::move(image);
}

}  // namespace actswap
