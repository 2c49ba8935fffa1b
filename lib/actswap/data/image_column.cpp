#include <actswap/base/error.h>
#include <actswap/data/image/resize.h>
#include <actswap/data/image_column.h>
#include <actswap/data/parallel.h>

#include <utility>

namespace actswap {

namespace {

std::string size_of(const Image& image) {
  return std::to_string(image.height) + " x " + std::to_string(image.width);
}

class ImageColumn : public Column {
 public:
  ImageColumn(ImageFiles files, ImageOptions options)
      : files_(std::move(files)), options_(std::move(options)) {}

  std::int64_t size() const override { return files_.count; }
  std::string kind() const override { return describe(options_); }

  torch::Tensor at(std::span<const std::int64_t> indices) const override {
    const auto count = static_cast<std::int64_t>(indices.size());
    std::vector<Image> images(indices.size());
    in_threads(count, [&](std::int64_t i) {
      images[static_cast<std::size_t>(i)] = decode(indices[static_cast<std::size_t>(i)]);
    });
    check_sizes(images, indices);
    const Image none{.height = 0, .width = 0, .channels = options_.grey ? 1 : 3};
    const auto& first = images.empty() ? none : images[0];
    auto batch = allocate({count, first.channels, first.height, first.width}, torch::kUInt8,
                          "images of " + (images.empty() ? "" : files_.name(indices[0])));
    auto* to = batch.data_ptr<std::uint8_t>();
    const auto pixels =
        static_cast<std::size_t>(first.height) * static_cast<std::size_t>(first.width);
    const auto channels = static_cast<std::size_t>(first.channels);
    in_threads(count, [&](std::int64_t i) {
      const auto* from = images[static_cast<std::size_t>(i)].pixels.data();
      auto* plane = to + static_cast<std::size_t>(i) * channels * pixels;
      for (std::size_t pixel = 0; pixel < pixels; ++pixel) {
        for (std::size_t channel = 0; channel < channels; ++channel) {
          plane[channel * pixels + pixel] = *from++;
        }
      }
    });
    return batch;
  }

 private:
  std::string name(std::int64_t index) const {
    return files_.name(index) + " (example " + std::to_string(index) + ")";
  }

  Image decode(std::int64_t index) const {
    try {
      return prepared(decode_image(files_.read(index)), options_);
    } catch (const ImageError& error) {
      throw FileError("Cannot read the image " + name(index) + ": " + error.what());
    }
  }

  void check_sizes(const std::vector<Image>& images, std::span<const std::int64_t> indices) const {
    for (std::size_t i = 1; i < images.size(); ++i) {
      if (images[i].height != images[0].height || images[i].width != images[0].width) {
        throw UsageError("Expected images of one size, but " + name(indices[0]) + " is " +
                         size_of(images[0]) + " and " + name(indices[i]) + " " +
                         size_of(images[i]) + "; give --resize and --crop");
      }
    }
  }

  ImageFiles files_;
  ImageOptions options_;
};

}  // namespace

std::shared_ptr<const Column> image_column(ImageFiles files, const ImageOptions& options) {
  return std::make_shared<ImageColumn>(std::move(files), options);
}

}  // namespace actswap
