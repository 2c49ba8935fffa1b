// Images of other sizes, as torchvision's Resize and CenterCrop make them.
#pragma once

#include <actswap/data/image/image.h>
#include <actswap/data/image_options.h>

namespace actswap {

/// Equals Pillow's Image.resize to one grey level: the filter is as wide as the pixels that become
/// one (torchvision: antialias=True), and each of the two passes rounds to 8 bits. It does columns
/// first, as Pillow before 13; later versions begin with the cheaper pass. Sizes are above 0.
Image resized(const Image& image, int height, int width, Interpolation interpolation);

/// Its shorter side becomes `size`, the other one int(size * longer / shorter): Resize(size).
/// @throws ImageError where that is too large
Image resized_to_shorter_side(const Image& image, int size, Interpolation interpolation);

/// The middle; an odd margin is rounded as by CenterCrop, and a smaller image gets a black margin.
Image center_crop(const Image& image, int height, int width);

/// Does what the options ask for, in this order: grey, resize, crop. @throws ImageError
Image prepared(Image image, const ImageOptions& options);

}  // namespace actswap
