#include <actswap/base/activity.h>
#include <actswap/base/error.h>
#include <actswap/data/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <string_view>

namespace actswap {

namespace {

struct Format {
  bool (*is)(const DataSource& source);
  Columns (*read)(const DataSource& source);
  bool has_images;  // --resize and the like have an effect
};
// The first that fits: text is what nothing else fits.
constexpr std::array<Format, 8> kFormats = {{{is_image_folder, read_image_folder, true},
                                             {is_npy, read_npy, false},
                                             {is_npz, read_npz, false},
                                             {is_safetensors, read_safetensors, false},
                                             {is_idx, read_idx_file, false},
                                             {is_tensors_file, read_tensors_file, false},
                                             {is_tar, read_tar, true},
                                             {is_csv, read_csv, false}}};
constexpr std::size_t kBegin = 512;  // a block of a tar archive

constexpr const char* kExpected =
    "expected a folder of images, .npy, .npz, safetensors, CSV, tar shards, idx, or what "
    "torch.save "
    "writes of tensors";

// An option that names one of two would mean either.
void check_names(const Columns& columns, const std::string& path) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto& name = columns[i].name;
    if (!name.empty() && !names.insert(name).second) {
      throw FileError("Expected each name once in '" + path + "', but '" + name + "' of " +
                      (columns[i].is_field ? "column " : "tensor ") + std::to_string(i) +
                      " (from 0) is there before");
    }
  }
}

DataSource source_of(const std::string& path, const DataOptions& options) {
  DataSource source{path, nullptr, "", options};
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    source.file = std::make_shared<DataFile>(path);
    source.begin = source.file->begin(kBegin);
  }
  return source;
}

}  // namespace

Columns read_columns(const std::string& path, const DataOptions& options) {
  const Reading reading(path);
  const auto source = source_of(path, options);
  const auto* format = std::find_if(kFormats.begin(), kFormats.end(),
                                    [&](const Format& row) { return row.is(source); });
  if (format == kFormats.end()) {
    const auto found = found_instead(source);
    throw FileError("Cannot read '" + path +
                    "': " + (found.empty() ? std::string(kExpected) : found));
  }
  if (options.images.is_any() && !format->has_images) {
    throw UsageError(
        "Expected --resize, --crop, --interpolation and --grey with files of images, "
        "but '" +
        path + "' holds tensors");
  }
  auto columns = format->read(source);
  if (columns.empty()) {
    throw FileError("'" + path + "' holds no tensors");
  }
  check_names(columns, path);
  return columns;
}

}  // namespace actswap
