// Random changes of training images, so that no epoch shows the same ones.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace actswap {

/// Changes the first input of each example, an image: a batch is N x C x height x width. Targets
/// stay, which is right for classes of whole images and for the original's outputs on the same
/// images, but not for labels that belong to places.
struct Augmentation {
  bool flip = false;      ///< left to right, for half of the images
  std::int64_t crop = 0;  ///< pixels by which an image may move each way; its own mirror image
                          ///< fills the borders. >= 0 and below height and width

  bool changes_anything() const { return flip || crop > 0; }
};

/// "flip", "crop=4", "flip+crop=4"; "none" is none. @throws UsageError
ACTSWAP_API Augmentation parse_augmentation(std::string_view text);
ACTSWAP_API std::string to_string(const Augmentation& augmentation);

/// Changes each image of the batch by itself; only the seed, the epoch, the batch's number and the
/// image's place in it decide how.
/// @param batch the batch to change, or the part of it that begins with example `first`
/// @param augmentation the changes allowed
/// @param seed of the run
/// @param epoch from 0
/// @param number of the batch in its epoch
/// @param first place in the whole batch of the first example here
/// @throws UsageError if the first input is no batch of images, or one is not larger than crop
ACTSWAP_API Example augmented(Example batch, const Augmentation& augmentation, std::uint64_t seed,
                              std::int64_t epoch, std::int64_t number, std::int64_t first = 0);

}  // namespace actswap
