#include <actswap/data/format.h>
#include <actswap/data/image/resize.h>
#include <torch/script.h>

#include "files.h"

namespace {

using actswap::Image;
using actswap::ImageError;

std::string file(const std::string& name) {
  return std::string(ACTSWAP_SOURCE_DIR) + "/tests/data/images/" + name;
}

Image decode(const std::string& bytes) {
  return actswap::decode_image({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

torch::Tensor tensor_of(const Image& image) {
  return torch::tensor(c10::ArrayRef<std::uint8_t>(image.pixels))
      .reshape({image.height, image.width, image.channels});
}

/// What Pillow and torchvision gave (make_images.py), by name: height x width x channels.
const std::map<std::string, torch::Tensor>& expected() {
  static const auto all = [] {
    std::map<std::string, torch::Tensor> found;
    for (const auto& column : actswap::read_columns(file("expected.npz"), {})) {
      std::vector<std::int64_t> rows(static_cast<std::size_t>(column.column->size()));
      std::iota(rows.begin(), rows.end(), 0);
      found[column.name] = column.column->at(rows);
    }
    return found;
  }();
  return all;
}

std::int64_t greatest_difference(const torch::Tensor& a, const torch::Tensor& b) {
  if (a.sizes() != b.sizes()) {
    return 256;
  }
  return (a.to(torch::kInt64) - b.to(torch::kInt64)).abs().max().item<std::int64_t>();
}

TEST(Images, AreReadAsPillowReadsThem) {
  int count = 0;
  for (const auto& [name, pixels] : expected()) {
    if (name.find('.') == std::string::npos) {
      continue;
    }
    ++count;
    // Decoders of lossy formats may round differently from version to version.
    const bool is_lossy = name.ends_with(".jpg") || name == "lossy.webp";
    EXPECT_LE(greatest_difference(tensor_of(decode(data_test::read_bytes(file(name)))), pixels),
              is_lossy ? 1 : 0)
        << name;
  }
  EXPECT_EQ(count, 18);
}

TEST(Images, AreResizedAsTorchvisionDoes) {
  const auto image = decode(data_test::read_bytes(file("rgb.png")));
  using actswap::Interpolation;
  const std::map<std::string, actswap::ImageOptions> cases = {
      {"resize16_crop12", {.resize = {16}, .crop = {12}}},
      {"resize20", {.resize = {20}}},
      {"resize50", {.resize = {50}}},
      {"resize11x31", {.resize = {11, 31}}},
      {"resize15_bicubic", {.resize = {15}, .interpolation = Interpolation::bicubic}},
      {"crop10", {.crop = {10}}},
      {"crop33x20", {.crop = {33, 20}}},
      {"grey_resize16", {.resize = {16}, .grey = true}}};
  for (const auto& [name, options] : cases) {
    const auto ours = tensor_of(actswap::prepared(image, options));
    // Pillow does the columns or the rows first, from version to version.
    EXPECT_LE(greatest_difference(ours, expected().at(name)), 1) << name;
    if (const auto found = expected().find(name + "_tensor"); found != expected().end()) {
      EXPECT_LE(greatest_difference(ours, found->second), 1) << name;
    }
  }
}

TEST(Images, ThatAreDamagedAreRefused) {
  for (const auto* name : {"420.jpg", "444_progressive.jpg", "cmyk.jpg", "rgb.png", "grey16.png",
                           "lossy.webp", "lossless_alpha.webp"}) {
    const auto whole = data_test::read_bytes(file(name));
    for (std::size_t size = 0; size + 20 < whole.size(); size += 61) {
      EXPECT_THROW(decode(whole.substr(0, size)), ImageError) << name << " " << size;
    }
    // A changed byte is an error, or other pixels; it is never a crash.
    for (std::size_t at = 0; at < whole.size(); at += 7) {
      auto changed = whole;
      changed[at] = static_cast<char>(changed[at] ^ 0x5a);
      try {
        decode(changed);
      } catch (const ImageError&) {
      }
    }
  }
  EXPECT_THROW(decode(data_test::read_bytes(file("animated.webp"))), ImageError);
  EXPECT_THROW(decode("hello"), ImageError);
}

// Before there is memory for it.
TEST(Images, ThatAreTooLargeAreRefused) {
  auto png = data_test::read_bytes(file("rgb.png"));
  png.replace(16, 8, std::string("\x7f\xff\xff\xff\x7f\xff\xff\xff", 8));
  EXPECT_THROW(decode(png), ImageError);
  auto jpeg = data_test::read_bytes(file("444_progressive.jpg"));
  const auto frame = jpeg.find("\xff\xc2");
  ASSERT_NE(frame, std::string::npos);
  jpeg.replace(frame + 5, 4, "\xff\xff\xff\xff");
  EXPECT_THROW(decode(jpeg), ImageError);
}

TEST(Images, SizesAreReadAsGiven) {
  EXPECT_EQ(actswap::parse_image_size("256"), std::vector<int>({256}));
  EXPECT_EQ(actswap::parse_image_size("224x192"), std::vector<int>({224, 192}));
  for (const auto* wrong :
       {"", "0", "-1", "x", "2x", "x2", "2.5", "70000", "2x3x4", "99999999999"}) {
    EXPECT_THROW(actswap::parse_image_size(wrong), actswap::UsageError) << wrong;
  }
}

}  // namespace
