#include <actswap/base/error.h>
#include <actswap/data/image_options.h>

#include <charconv>

namespace actswap {

namespace {

constexpr int kMostSide = 65535;  // a JPEG's largest

// false: it is no side.
bool read_side(std::string_view text, std::vector<int>& sides) {
  int side = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), side);
  sides.push_back(side);
  return error == std::errc() && end == text.data() + text.size() && side >= 1 && side <= kMostSide;
}

std::string sides_text(int height, int width) {
  return std::to_string(height) + " x " + std::to_string(width);
}

}  // namespace

Interpolation parse_interpolation(std::string_view name) {
  if (name == "bilinear" || name == "bicubic") {
    return name == "bilinear" ? Interpolation::bilinear : Interpolation::bicubic;
  }
  throw UsageError("Expected bilinear or bicubic, but got '" + std::string(name) + "'");
}

std::vector<int> parse_image_size(std::string_view text) {
  std::vector<int> sides;
  const auto by = text.find('x');
  if (!read_side(text.substr(0, by), sides) ||
      (by != std::string_view::npos && !read_side(text.substr(by + 1), sides))) {
    throw UsageError(
        "Expected for --resize and --crop a size like 256 or 224x192 (height x width), up to " +
        std::to_string(kMostSide) + ", but got '" + std::string(text) + "'");
  }
  return sides;
}

std::string describe(const ImageOptions& options) {
  std::string text = options.grey ? "grey images" : "RGB images";
  if (!options.resize.empty()) {
    text += options.resize.size() == 1
                ? ", shorter side resized to " + std::to_string(options.resize[0])
                : ", resized to " + sides_text(options.resize[0], options.resize[1]);
    text += options.interpolation == Interpolation::bicubic ? " (bicubic)" : " (bilinear)";
  }
  if (!options.crop.empty()) {
    text += ", the middle " + sides_text(options.crop.front(), options.crop.back());
  }
  return text;
}

}  // namespace actswap
