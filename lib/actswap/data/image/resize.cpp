// After src/libImaging/Resample.c of Pillow, which calls the image that a pass writes to the
// output.
#include <actswap/data/image/resize.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace actswap {

namespace {

constexpr int kPrecisionBits = 32 - 8 - 2;  // weights are whole numbers: products fit into 32 bits

double triangle(double x) {
  return std::max(0.0, 1.0 - std::abs(x));
}

double cubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  return x < 1.0   ? ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1.0
         : x < 2.0 ? (((x - 5.0) * x + 8.0) * x - 4.0) * kA
                   : 0.0;
}

struct Filter {
  double (*weight)(double);
  double support;
};

// The pixels of a line that one pixel of the result is made of.
struct Window {
  int begin = 0;
  std::vector<std::int32_t> weights = {};
};

std::vector<Window> windows(int from, int to, const Filter& filter) {
  const double scale = static_cast<double>(from) / to;
  const double width = std::max(scale, 1.0);
  const double support = filter.support * width;
  const double narrowing = 1.0 / width;  // not divided by: the last bit is Pillow's
  std::vector<Window> all;
  for (int i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * scale;
    Window window{std::max(static_cast<int>(std::floor(centre - support + 0.5)), 0)};
    const int end = std::min(static_cast<int>(std::floor(centre + support + 0.5)), from);
    std::vector<double> weights;
    double sum = 0.0;
    for (int x = window.begin; x < end; ++x) {
      weights.push_back(filter.weight((x - centre + 0.5) * narrowing));
      sum += weights.back();
    }
    for (const double weight : weights) {
      const double share = (sum == 0.0 ? weight : weight / sum) * (1 << kPrecisionBits);
      window.weights.push_back(static_cast<std::int32_t>(share + (share < 0.0 ? -0.5 : 0.5)));
    }
    all.push_back(std::move(window));
  }
  return all;
}

std::uint8_t rounded(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

constexpr std::int32_t kHalf = 1 << (kPrecisionBits - 1);

Image with_width(const Image& image, int width, const Filter& filter) {
  Image result = make_image(image.height, width, image.channels);
  const auto all = windows(image.width, width, filter);
  for (int y = 0; y < image.height; ++y) {
    auto* to = result.row(y);
    for (const auto& window : all) {
      for (int channel = 0; channel < image.channels; ++channel) {
        const auto* from = image.at(y, window.begin) + channel;
        std::int32_t sum = kHalf;
        for (const auto weight : window.weights) {
          sum += *from * weight;
          from += image.channels;
        }
        *to++ = rounded(sum);
      }
    }
  }
  return result;
}

Image with_height(const Image& image, int height, const Filter& filter) {
  Image result = make_image(height, image.width, image.channels);
  const auto all = windows(image.height, height, filter);
  const int line = image.width * image.channels;
  std::vector<std::int32_t> sums(static_cast<std::size_t>(line));
  for (int y = 0; y < height; ++y) {
    const auto& window = all[static_cast<std::size_t>(y)];
    std::fill(sums.begin(), sums.end(), kHalf);
    for (std::size_t k = 0; k < window.weights.size(); ++k) {
      const auto* from = image.row(window.begin + static_cast<int>(k));
      for (std::size_t x = 0; x < sums.size(); ++x) {
        sums[x] += from[x] * window.weights[k];
      }
    }
    std::transform(sums.begin(), sums.end(), result.row(y), rounded);
  }
  return result;
}

}  // namespace

Image resized(const Image& image, int height, int width, Interpolation interpolation) {
  const Filter filter =
      interpolation == Interpolation::bilinear ? Filter{triangle, 1.0} : Filter{cubic, 2.0};
  if (width == image.width) {
    return height == image.height ? image : with_height(image, height, filter);
  }
  auto wide = with_width(image, width, filter);
  return height == image.height ? wide : with_height(wide, height, filter);
}

Image resized_to_shorter_side(const Image& image, int size, Interpolation interpolation) {
  const bool is_upright = image.width <= image.height;
  const int shorter = is_upright ? image.width : image.height;
  const int longer = is_upright ? image.height : image.width;
  const auto other = static_cast<std::int64_t>(static_cast<double>(std::int64_t{size} * longer) /
                                               static_cast<double>(shorter));
  if (other > kMostPixels / size) {
    throw ImageError("resized to " + std::to_string(size) + " it would have " +
                     std::to_string(size) + " x " + std::to_string(other) + " pixels");
  }
  const int rest = static_cast<int>(other);
  return is_upright ? resized(image, rest, size, interpolation)
                    : resized(image, size, rest, interpolation);
}

Image center_crop(const Image& image, int height, int width) {
  Image result = make_image(height, width, image.channels);
  // Python's round takes halves to the even number, as nearbyint does; padding is rounded down.
  const auto margin = [](int from, int to) {
    return from >= to ? static_cast<int>(std::nearbyint((from - to) / 2.0)) : -((to - from) / 2);
  };
  const int top = margin(image.height, height);
  const int left = margin(image.width, width);
  const int begin = std::max(left, 0);
  const int end = std::min(left + width, image.width);
  for (int y = std::max(-top, 0); y < height && y + top < image.height; ++y) {
    std::copy(image.at(y + top, begin), image.at(y + top, end), result.at(y, begin - left));
  }
  return result;
}

Image prepared(Image image, const ImageOptions& options) {
  if (options.grey) {
    image = to_grey(image);
  }
  if (options.resize.size() == 1) {
    image = resized_to_shorter_side(image, options.resize[0], options.interpolation);
  } else if (options.resize.size() == 2) {
    image = resized(image, options.resize[0], options.resize[1], options.interpolation);
  }
  return options.crop.empty() ? std::move(image)
                              : center_crop(image, options.crop.front(), options.crop.back());
}

}  // namespace actswap
