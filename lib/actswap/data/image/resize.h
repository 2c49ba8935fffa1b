// Images of other sizes, as torchvision's Resize and CenterCrop make them.
#pragma once

#include <actswap/data/image/image.h>
#include <actswap/data/image_options.h>

namespace actswap {

/// Pillow's Image.resize, to one grey level: the filter is as wide as the pixels that become one
/// (torchvision: antialias=True), and each of both passes rounds to 8 bits. The columns are done
/// first, as by Pillow before 13; since then it begins with what costs less. Sizes are above 0.
Image resized(const Image& image, int height, int width, Interpolation interpolation);

/// Its shorter side becomes `size`, the other one int(size * longer / shorter): Resize(size).
/// @throws ImageError where that is too large
Image resized_to_shorter_side(const Image& image, int size, Interpolation interpolation);

/// The middle, where the margin is odd as CenterCrop rounds it; what is smaller gets a black
/// margin.
Image center_crop(const Image& image, int height, int width);

/// What the options ask for, in this order: grey, resize, crop. @throws ImageError
Image prepared(Image image, const ImageOptions& options);

}  // namespace actswap
