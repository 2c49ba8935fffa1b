// DIR/CLASS/*.jpg, with the classes of torchvision's ImageFolder, or DIR/*.jpg.
#include <actswap/base/error.h>
#include <actswap/data/format.h>
#include <actswap/data/image_column.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <string_view>

namespace actswap {

namespace fs = std::filesystem;

namespace {

// Those of ImageFolder. Only the first four are read; the others are refused, not left out.
constexpr std::array<std::string_view, 10> kEndings = {".jpg", ".jpeg", ".png", ".webp", ".ppm",
                                                       ".bmp", ".pgm",  ".tif", ".tiff", ".gif"};
constexpr std::size_t kRead = 4;

constexpr std::size_t kMostFolders = 10'000;  // in one class

constexpr std::array<std::string_view, 6> kSplits = {"train", "val",      "valid",
                                                     "test",  "training", "validation"};

bool is_image_name(const fs::path& path) {
  auto ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto* found = std::find(kEndings.begin(), kEndings.end(), ending);
  if (found != kEndings.end() && found >= kEndings.begin() + kRead) {
    throw FileError("Expected JPEG, PNG or WebP images, but found '" + path.string() + "'");
  }
  return found != kEndings.end();
}

[[noreturn]] void fail(const std::string& path, const std::error_code& error) {
  throw FileError("Cannot read the folder '" + path + "': " + error.message());
}

// The entries of a folder that `is_wanted`, sorted by the bytes of their names.
template <typename Wanted>
std::vector<fs::path> entries_of(const std::string& folder, Wanted is_wanted) {
  std::vector<fs::path> found;
  std::error_code error;
  for (auto entry = fs::directory_iterator(folder, error); !error && entry != fs::end(entry);
       entry.increment(error)) {
    if (is_wanted(*entry)) {
      found.push_back(entry->path());
    }
  }
  if (error) {
    fail(folder, error);
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool is_folder(const fs::directory_entry& entry) {
  std::error_code error;
  return entry.is_directory(error);
}

bool is_image_file(const fs::directory_entry& entry) {
  std::error_code error;
  return entry.is_regular_file(error) && is_image_name(entry.path());
}

// Of a class: folders inside of it belong to it, each folder's files together.
std::vector<std::string> images_below(const fs::path& folder) {
  std::vector<fs::path> folders = {folder};
  std::error_code error;
  const auto options = fs::directory_options::follow_directory_symlink;
  for (auto entry = fs::recursive_directory_iterator(folder, options, error);
       !error && entry != fs::end(entry); entry.increment(error)) {
    if (folders.size() > kMostFolders) {
      throw FileError("Cannot read the folder '" + folder.string() + "': it holds more than " +
                      std::to_string(kMostFolders) + " folders; does a link lead back to it?");
    }
    if (is_folder(*entry)) {
      folders.push_back(entry->path());
    }
  }
  if (error) {
    fail(folder.string(), error);
  }
  std::sort(folders.begin(), folders.end(),
            [](const auto& a, const auto& b) { return a.native() < b.native(); });
  std::vector<std::string> images;
  for (const auto& inner : folders) {
    for (const auto& image : entries_of(inner.string(), is_image_file)) {
      images.push_back(image.string());
    }
  }
  return images;
}

std::vector<std::uint8_t> read_whole(const std::string& path) {
  const DataFile file(path);
  return file.bytes(0, file.size());
}

// A copy that was cut short leaves such files; the others show when they are decoded.
void expect_content(const std::vector<std::string>& paths) {
  for (std::size_t i = 0; i < paths.size(); ++i) {
    std::error_code error;
    if (fs::file_size(paths[i], error) == 0 && !error) {
      throw FileError("Cannot read the image '" + paths[i] + "' (example " + std::to_string(i) +
                      "): it is empty");
    }
  }
}

NamedColumn images_of(std::vector<std::string> paths, const ImageOptions& options) {
  expect_content(paths);
  const auto shared = std::make_shared<const std::vector<std::string>>(std::move(paths));
  const auto path = [shared](std::int64_t i) { return (*shared)[static_cast<std::size_t>(i)]; };
  return {"images", image_column({.count = static_cast<std::int64_t>(shared->size()),
                                  .read = [path](std::int64_t i) { return read_whole(path(i)); },
                                  .name = [path](std::int64_t i) { return "'" + path(i) + "'"; }},
                                 options)};
}

// The first image of each class, then the second of each: whoever looks at the first examples only
// sees all classes. Returns the classes of the paths.
std::vector<std::int64_t> take_turns(std::vector<std::vector<std::string>>& images,
                                     std::vector<std::string>& paths) {
  std::vector<std::int64_t> classes;
  bool is_more = true;
  for (std::size_t turn = 0; is_more; ++turn) {
    is_more = false;
    for (std::size_t number = 0; number < images.size(); ++number) {
      if (turn < images[number].size()) {
        classes.push_back(static_cast<std::int64_t>(number));
        paths.push_back(std::move(images[number][turn]));
        is_more = true;
      }
    }
  }
  return classes;
}

void check_classes(const std::string& path, const std::vector<std::string>& names) {
  if (std::all_of(names.begin(), names.end(), [](const std::string& name) {
        return std::find(kSplits.begin(), kSplits.end(), name) != kSplits.end();
      })) {
    throw UsageError("Expected a folder with a folder for each class, but '" + path + "' holds '" +
                     names[0] + "'; give '" + path + "/" + names[0] + "'");
  }
}

}  // namespace

bool is_image_folder(const DataSource& source) {
  return !source.file && (!entries_of(source.path, is_folder).empty() ||
                          !entries_of(source.path, is_image_file).empty());
}

Columns read_image_folder(const DataSource& source) {
  auto paths = std::vector<std::string>();
  for (const auto& image : entries_of(source.path, is_image_file)) {
    paths.push_back(image.string());
  }
  const auto folders = entries_of(source.path, is_folder);
  if (folders.empty()) {
    return {images_of(std::move(paths), source.options.images)};
  }
  if (!paths.empty()) {
    throw FileError("Expected images in the folders of their classes alone, but '" + paths[0] +
                    "' stands beside the folder '" + folders[0].string() + "'");
  }
  std::vector<std::string> names;
  std::vector<std::vector<std::string>> images;  // of each class
  for (const auto& folder : folders) {
    images.push_back(images_below(folder));
    names.push_back(folder.filename().string());
    if (images.back().empty()) {
      throw FileError("Expected images in the folder of each class, but '" + folder.string() +
                      "' holds none");
    }
  }
  check_classes(source.path, names);
  const auto classes = take_turns(images, paths);
  return {
      images_of(std::move(paths), source.options.images),
      {"classes", std::make_shared<TensorColumn>(torch::tensor(classes, torch::kInt64), names)}};
}

}  // namespace actswap
