// How images are changed before they become inputs.
#pragma once

#include <actswap/base/export.h>

#include <string>
#include <string_view>
#include <vector>

namespace actswap {

enum class Interpolation { bilinear, bicubic };
/// "bilinear", "bicubic". @throws UsageError
ACTSWAP_API Interpolation parse_interpolation(std::string_view name);

/// Sizes are empty (as the image is), one side, or height and width; in [1, 65535].
struct ImageOptions {
  std::vector<int> resize = {};  ///< one: of the shorter side, the other one keeps its proportion
  std::vector<int> crop = {};    ///< take the middle, after resizing; one: of both sides
  Interpolation interpolation = Interpolation::bilinear;  ///< of resize; both with antialiasing
  bool grey = false;  ///< one channel, as Pillow's convert("L") has it; otherwise three

  /// Whether any of it is asked for.
  bool is_any() const {
    return !resize.empty() || !crop.empty() || grey || interpolation != Interpolation::bilinear;
  }
};

/// "256" or "224x192" (height x width). @throws UsageError
ACTSWAP_API std::vector<int> parse_image_size(std::string_view text);

/// "RGB images, shorter side resized to 256 (bilinear), the middle 224 x 224".
std::string describe(const ImageOptions& options);

}  // namespace actswap
