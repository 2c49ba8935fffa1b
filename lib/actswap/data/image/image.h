// Images as the bytes of their pixels, read as Pillow reads them: most models were trained on
// the result of Image.open(file).convert("RGB").
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace actswap {

/// Rows from the top, pixels from the left, the channels of a pixel side by side.
struct Image {
  int height = 0;
  int width = 0;
  int channels = 3;
  std::vector<std::uint8_t> pixels = {};  ///< height x width x channels

  std::uint8_t* row(int y) { return at(y, 0); }
  const std::uint8_t* row(int y) const { return at(y, 0); }
  /// The channels of a pixel.
  std::uint8_t* at(int y, int x) { return pixels.data() + offset(y, x); }
  const std::uint8_t* at(int y, int x) const { return pixels.data() + offset(y, x); }

 private:
  std::size_t offset(int y, int x) const {
    return (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
            static_cast<std::size_t>(x)) *
           static_cast<std::size_t>(channels);
  }
};

/// Why an image cannot be read: "it is a truncated JPEG file".
class ImageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Larger images are refused before memory is taken for them, as by Pillow.
constexpr std::int64_t kMostPixels = 178'956'970;

/// An image with room for its pixels. @throws ImageError for a size of 0 or too many pixels
Image make_image(std::int64_t height, std::int64_t width, int channels = 3);

/// Whether these are the first bytes (16 are enough) of a file that decode_image reads.
bool is_image(std::span<const std::uint8_t> begin);

/// Reads a JPEG, PNG or WebP file, by its content, as red, green and blue. Grey images get three
/// equal channels, CMYK becomes RGB without a profile, and transparency is dropped. Of 16 bits a
/// channel it takes the upper 8 (but cuts a grey PNG's values off at 255), of an animation the
/// first frame. It ignores EXIF's orientation and colour profiles. All of this is as in
/// convert("RGB").
/// @throws ImageError for a file that is damaged, truncated or of another format
Image decode_image(std::span<const std::uint8_t> file);

/// One channel: (19595 R + 38470 G + 7471 B + 32768) / 65536, as convert("L") has it.
Image to_grey(const Image& image);

// Of one format each; called by decode_image.
Image decode_jpeg(std::span<const std::uint8_t> file);
Image decode_png(std::span<const std::uint8_t> file);
Image decode_webp(std::span<const std::uint8_t> file);

}  // namespace actswap
