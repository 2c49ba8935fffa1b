#include <actswap/data/image/image.h>

#include <webp/decode.h>

namespace actswap {

namespace {

[[noreturn]] void fail() {
  throw ImageError("its WebP data is damaged or truncated");
}

}  // namespace

Image decode_webp(std::span<const std::uint8_t> file) {
  WebPBitstreamFeatures features = {};
  if (WebPGetFeatures(file.data(), file.size(), &features) != VP8_STATUS_OK) {
    fail();
  }
  if (features.has_animation != 0) {
    throw ImageError("it is an animation; expected a single image");
  }
  Image image = make_image(features.height, features.width);
  if (WebPDecodeRGBInto(file.data(), file.size(), image.pixels.data(), image.pixels.size(),
                        image.width * 3) == nullptr) {
    fail();
  }
  return image;
}

}  // namespace actswap
