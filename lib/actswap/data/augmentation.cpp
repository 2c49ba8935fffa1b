#include <actswap/base/error.h>
#include <actswap/data/augmentation.h>
#include <actswap/data/random.h>

#include <torch/script.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <system_error>
#include <utility>

namespace actswap {

namespace {

[[noreturn]] void fail(std::string_view text, const std::string& part) {
  throw UsageError("Expected an augmentation like flip, crop=4 or flip+crop=4, but got '" +
                   std::string(text) + "' ('" + part + "')");
}

std::int64_t pixels(std::string_view text, const std::string& part) {
  static constexpr std::string_view kName = "crop=";
  const auto digits = std::string_view(part).substr(kName.size());
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size() || number < 1) {
    fail(text, part);
  }
  return number;
}

void check(const torch::Tensor& images, std::int64_t crop) {
  if (images.dim() != 4) {
    throw UsageError(
        "Expected images to augment, N x C x height x width, but the first input has " +
        std::to_string(images.dim()) + " dimensions");
  }
  const auto least = std::min(images.size(2), images.size(3));
  if (crop >= least) {
    throw UsageError("Expected crop below the images' size of " + std::to_string(images.size(2)) +
                     " x " + std::to_string(images.size(3)) + ", but got " + std::to_string(crop));
  }
}

}  // namespace

Augmentation parse_augmentation(std::string_view text) {
  Augmentation augmentation;
  if (text == "none") {
    return augmentation;
  }
  std::istringstream parts{std::string(text) + "+"};
  for (std::string part; std::getline(parts, part, '+');) {
    if (part == "flip") {
      augmentation.flip = true;
    } else if (part.starts_with("crop=")) {
      augmentation.crop = pixels(text, part);
    } else {
      fail(text, part);
    }
  }
  return augmentation;
}

std::string to_string(const Augmentation& augmentation) {
  const auto crop =
      augmentation.crop > 0 ? "crop=" + std::to_string(augmentation.crop) : std::string();
  if (!augmentation.flip) {
    return crop.empty() ? "none" : crop;
  }
  return crop.empty() ? "flip" : "flip+" + crop;
}

Example augmented(Example batch, const Augmentation& augmentation, std::uint64_t seed,
                  std::int64_t epoch, std::int64_t number, std::int64_t first) {
  const auto images = batch.inputs.at(0);
  const auto crop = augmentation.crop;
  check(images, crop);
  // Apart from the order of the examples, which begins at the seed itself.
  SplitMix64 random(
      SplitMix64(SplitMix64(~seed).next() ^ static_cast<std::uint64_t>(epoch)).next() ^
      static_cast<std::uint64_t>(number));
  // LibTorch mirrors float images alone.
  const auto padded = crop > 0 ? torch::reflection_pad2d(
                                     images.is_floating_point() ? images : images.to(torch::kFloat),
                                     {crop, crop, crop, crop})
                               : images;
  auto changed = torch::empty_like(images);
  const auto steps = static_cast<std::uint64_t>(2 * crop + 1);
  for (std::int64_t i = -first; i < images.size(0); ++i) {
    const auto down = static_cast<std::int64_t>(random.below(steps));
    const auto right = static_cast<std::int64_t>(random.below(steps));
    const bool is_flipped = augmentation.flip && random.below(2) == 1;
    if (i < 0) {
      continue;  // of another process
    }
    const auto window = padded[i].narrow(1, down, images.size(2)).narrow(2, right, images.size(3));
    changed[i].copy_(is_flipped ? window.flip(2) : window);
  }
  batch.inputs[0] = changed;
  return batch;
}

}  // namespace actswap
