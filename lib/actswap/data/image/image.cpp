#include <actswap/data/image/image.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace actswap {

namespace {

struct ImageFormat {
  bool (*is)(std::string_view begin);
  Image (*decode)(std::span<const std::uint8_t>);
};
constexpr std::array<ImageFormat, 3> kFormats = {{
    {[](std::string_view begin) { return begin.starts_with("\xff\xd8\xff"); }, decode_jpeg},
    {[](std::string_view begin) { return begin.starts_with("\x89PNG\r\n\x1a\n"); }, decode_png},
    {[](std::string_view begin) {
       return begin.starts_with("RIFF") && begin.size() >= 12 && begin.substr(8, 4) == "WEBP";
     },
     decode_webp},
}};

const ImageFormat* format_of(std::span<const std::uint8_t> file) {
  const std::string_view begin(reinterpret_cast<const char*>(file.data()), file.size());
  const auto* found = std::find_if(kFormats.begin(), kFormats.end(),
                                   [&](const ImageFormat& format) { return format.is(begin); });
  return found == kFormats.end() ? nullptr : found;
}

}  // namespace

Image make_image(std::int64_t height, std::int64_t width, int channels) {
  if (height < 1 || width < 1 || width > kMostPixels / height) {
    throw ImageError("its header asks for " + std::to_string(height) + " x " +
                     std::to_string(width) + " pixels; expected 1 to " +
                     std::to_string(kMostPixels));
  }
  Image image{static_cast<int>(height), static_cast<int>(width), channels};
  image.pixels.resize(static_cast<std::size_t>(height * width * channels));
  return image;
}

bool is_image(std::span<const std::uint8_t> begin) {
  return format_of(begin) != nullptr;
}

Image decode_image(std::span<const std::uint8_t> file) {
  const auto* format = format_of(file);
  if (format == nullptr) {
    throw ImageError(file.empty() ? "it is empty" : "expected JPEG, PNG or WebP");
  }
  return format->decode(file);
}

Image to_grey(const Image& image) {
  Image grey = make_image(image.height, image.width, 1);
  const auto* from = image.pixels.data();
  for (auto& value : grey.pixels) {
    value = static_cast<std::uint8_t>(
        (19595U * from[0] + 38470U * from[1] + 7471U * from[2] + 0x8000U) >> 16);
    from += 3;
  }
  return grey;
}

}  // namespace actswap
