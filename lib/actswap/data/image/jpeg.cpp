// After the example in libjpeg's documentation: an error leaves the library by longjmp, so nothing
// with a destructor is made between setjmp and what may jump.
#include <actswap/data/image/image.h>

#include <csetjmp>
#include <cstdio>

// After <cstdio>, which it does not include itself.
#include <jerror.h>
#include <jpeglib.h>

namespace actswap {

namespace {

struct ErrorHandler {
  jpeg_error_mgr manager;  // first: libjpeg hands back a pointer to it
  std::jmp_buf leave;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void fail(j_common_ptr info) {
  auto* handler = reinterpret_cast<ErrorHandler*>(info->err);
  handler->manager.format_message(info, handler->message);
  std::longjmp(handler->leave, 1);
}

// A warning is about data that can still be read, as in many photographs; but libjpeg would fill a
// missing end with grey.
void warn(j_common_ptr info, int level) {
  if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) {
    fail(info);
  }
}

// Turns the pixels of a CMYK file, inverted as Adobe's programs write them, into RGB, as Pillow.
void convert_cmyk(const std::uint8_t* from, std::uint8_t* to, int width) {
  for (int x = 0; x < width; ++x, from += 4, to += 3) {
    const int white = from[3];
    for (int channel = 0; channel < 3; ++channel) {
      const int product = (255 - from[channel]) * white + 128;
      to[channel] = static_cast<std::uint8_t>(white - ((product + (product >> 8)) >> 8));
    }
  }
}

// Everything between setjmp and longjmp. false: handler.message says why.
bool read(jpeg_decompress_struct& info, ErrorHandler& handler, std::span<const std::uint8_t> file,
          Image& image, std::vector<std::uint8_t>& line) {
  if (setjmp(handler.leave) != 0) {
    return false;
  }
  jpeg_mem_src(&info, file.data(), file.size());
  jpeg_read_header(&info, TRUE);
  const bool is_cmyk = info.num_components == 4;
  info.out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
  // First: of a progressive file the library keeps all coefficients.
  image = make_image(info.image_height, info.image_width);
  jpeg_start_decompress(&info);
  line.resize(is_cmyk ? static_cast<std::size_t>(info.output_width) * 4 : 0);
  while (info.output_scanline < info.output_height) {
    auto* row = image.row(static_cast<int>(info.output_scanline));
    JSAMPROW to = is_cmyk ? line.data() : row;
    jpeg_read_scanlines(&info, &to, 1);
    if (is_cmyk) {
      convert_cmyk(line.data(), row, image.width);
    }
  }
  jpeg_finish_decompress(&info);
  return true;
}

struct Decompressor {
  jpeg_decompress_struct info = {};
  explicit Decompressor(ErrorHandler& handler) {
    info.err = jpeg_std_error(&handler.manager);
    handler.manager.error_exit = fail;
    handler.manager.emit_message = warn;
    jpeg_create_decompress(&info);
  }
  ~Decompressor() { jpeg_destroy_decompress(&info); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;
};

}  // namespace

Image decode_jpeg(std::span<const std::uint8_t> file) {
  ErrorHandler handler = {};
  Decompressor decompressor(handler);
  Image image;
  std::vector<std::uint8_t> line;
  if (!read(decompressor.info, handler, file, image, line)) {
    throw ImageError("its JPEG data is damaged or truncated (" + std::string(handler.message) +
                     ")");
  }
  return image;
}

}  // namespace actswap
