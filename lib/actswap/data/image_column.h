// Images that are decoded when they are needed.
#pragma once

#include <actswap/data/column.h>
#include <actswap/data/image_options.h>

#include <functional>

namespace actswap {

/// Where the bytes of images come from. Its functions may be called by several threads.
struct ImageFiles {
  std::int64_t count = 0;
  /// The whole file. @throws FileError
  std::function<std::vector<std::uint8_t>(std::int64_t)> read;
  /// For messages: "'pets/cat/3.jpg'".
  std::function<std::string(std::int64_t)> name;
};

/// uint8, N x 3 x height x width (with ImageOptions::grey N x 1 x ...). Entries are decoded on all
/// processors. Reading them throws FileError for one that cannot be decoded, and UsageError for
/// images of different sizes.
std::shared_ptr<const Column> image_column(ImageFiles files, const ImageOptions& options);

}  // namespace actswap
