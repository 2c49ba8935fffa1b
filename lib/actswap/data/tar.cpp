// Tar archives as WebDataset has them: files that share a name up to its first dot are one example,
// the rest of the name says what each of them is. The archive is read once, header by header; what
// the files hold is read when it is needed.
#include <actswap/base/error.h>
#include <actswap/data/format.h>
#include <actswap/data/image_column.h>
#include <actswap/data/npy.h>
#include <actswap/data/tar_files.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <utility>

namespace actswap {

namespace {

// Files of one kind, one for each example.
using Files = std::vector<TarFile>;

std::string name_in(const DataFile& archive, const TarFile& file) {
  return "'" + file.name + "' in '" + archive.path() + "'";
}

NamedColumn images(const std::string& name, const DataSource& source, Files files) {
  const auto shared = std::make_shared<const Files>(std::move(files));
  const auto archive = source.file;
  const auto at = [shared](std::int64_t i) -> const TarFile& {
    return (*shared)[static_cast<std::size_t>(i)];
  };
  return {name,
          image_column(
              {.count = static_cast<std::int64_t>(shared->size()),
               .read = [=](std::int64_t i) { return archive->bytes(at(i).offset, at(i).size); },
               .name = [=](std::int64_t i) { return name_in(*archive, at(i)); }},
              source.options.images)};
}

// Each example's file is an array by itself.
class ArrayColumn : public Column {
 public:
  ArrayColumn(std::shared_ptr<const DataFile> archive, Files files)
      : archive_(std::move(archive)), files_(std::move(files)) {}

  std::int64_t size() const override { return static_cast<std::int64_t>(files_.size()); }

  torch::Tensor at(std::span<const std::int64_t> indices) const override {
    std::vector<torch::Tensor> arrays;
    for (const auto index : indices) {
      arrays.push_back(read(index));
      if (arrays.back().sizes() != arrays[0].sizes() ||
          arrays.back().scalar_type() != arrays[0].scalar_type()) {
        throw FileError("Expected arrays of one shape and type, but " + name(index) +
                        " differs from " + name(indices[0]));
      }
    }
    return arrays.empty() ? torch::empty({0}) : torch::stack(arrays);
  }

 private:
  std::string name(std::int64_t index) const {
    return name_in(*archive_, files_[static_cast<std::size_t>(index)]) + " (example " +
           std::to_string(index) + ")";
  }

  torch::Tensor read(std::int64_t index) const {
    const auto& file = files_[static_cast<std::size_t>(index)];
    const auto bytes = archive_->bytes(file.offset, file.size);
    return npy_tensor({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, name(index));
  }

  std::shared_ptr<const DataFile> archive_;
  Files files_;
};

NamedColumn arrays(const std::string& name, const DataSource& source, Files files) {
  return {name, std::make_shared<ArrayColumn>(source.file, std::move(files))};
}

// A class as the digits of its number.
NamedColumn classes(const std::string& name, const DataSource& source, Files files) {
  std::vector<std::int64_t> numbers;
  for (const auto& file : files) {
    const auto bytes = source.file->bytes(file.offset, file.size);
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
      text.remove_suffix(1);
    }
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
      throw FileError("Expected the number of a class in " + name_in(*source.file, file) +
                      " (example " + std::to_string(numbers.size()) + "), but it holds '" +
                      std::string(text.substr(0, 32)) + "'");
    }
    numbers.push_back(number);
  }
  return {name, std::make_shared<TensorColumn>(torch::tensor(numbers, torch::kInt64))};
}

NamedColumn unread(const std::string& name, const DataSource&, Files) {
  return {name, nullptr, "it is neither an image, an array (.npy) nor a class (.cls)"};
}

struct Kind {
  std::string_view ending;  // of the name, without the dot
  std::string_view group;   // endings that stand for each other from example to example
  NamedColumn (*column)(const std::string&, const DataSource&, Files);
};
// In the order of the columns: inputs come before targets.
constexpr std::array<Kind, 7> kKinds = {{{"jpg", "image", images},
                                         {"jpeg", "image", images},
                                         {"png", "image", images},
                                         {"webp", "image", images},
                                         {"npy", "npy", arrays},
                                         {"cls", "cls", classes},
                                         {"", "", unread}}};

// "jpg" and "mask.jpg" are of one kind, and two columns.
const Kind& kind_of(std::string_view extension) {
  return *std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& kind) {
    return extension == kind.ending || kind.ending.empty() ||
           extension.ends_with("." + std::string(kind.ending));
  });
}

// The key of a column: "jpg" and "png" belong to the same column, "mask.png" to another.
std::string column_key(const std::string& extension) {
  const auto& kind = kind_of(extension);
  return kind.group.empty()
             ? extension
             : extension.substr(0, extension.size() - kind.ending.size()) + std::string(kind.group);
}

struct Group {
  std::string name;  // the first example's extension
  Files files;
};

// The extension begins at the first dot of the file's own name.
std::pair<std::string, std::string> key_and_extension(const std::string& name) {
  const auto slash = name.rfind('/');
  const auto dot = name.find('.', slash == std::string::npos ? 0 : slash + 1);
  return dot == std::string::npos ? std::pair(name, std::string())
                                  : std::pair(name.substr(0, dot), name.substr(dot + 1));
}

class Grouping {
 public:
  explicit Grouping(const std::string& path) : path_(path) {}

  void add(TarFile file) {
    const auto [key, extension] = key_and_extension(file.name);
    if (examples_ == 0 || key != key_) {
      end_example();
      key_ = key;
      ++examples_;
    }
    auto& group = groups_[column_key(extension)];
    if (group.files.empty()) {
      group.name = extension;
    }
    if (group.files.size() + 1 != examples_) {
      throw FileError(group.files.size() == examples_
                          ? "Expected each kind of file once in example " + where() + ", but '" +
                                extension + "' is there twice"
                          : "Expected files of the same kinds in each example of '" + path_ +
                                "', but example " + where() + " has '" + extension +
                                "', which an earlier one lacks");
    }
    group.files.push_back(std::move(file));
  }

  std::map<std::string, Group> take() {
    end_example();
    return std::move(groups_);
  }

 private:
  std::string where() const { return std::to_string(examples_ - 1) + " ('" + key_ + "')"; }

  void end_example() const {
    for (const auto& [key, group] : groups_) {
      if (group.files.size() != examples_) {
        throw FileError("Expected files of the same kinds in each example of '" + path_ +
                        "', but example " + where() + " has no '" + group.name + "'");
      }
    }
  }

  const std::string& path_;
  std::map<std::string, Group> groups_ = {};
  std::string key_ = {};
  std::size_t examples_ = 0;
};

}  // namespace

bool is_tar(const DataSource& source) {
  return is_tar_header(source.begin);
}

Columns read_tar(const DataSource& source) {
  Grouping grouping(source.path);
  for_each_tar_file(*source.file, [&](TarFile file) { grouping.add(std::move(file)); });
  auto groups = grouping.take();
  Columns columns;
  for (auto& [key, group] : groups) {
    columns.push_back(kind_of(group.name).column(group.name, source, std::move(group.files)));
  }
  std::stable_sort(columns.begin(), columns.end(), [](const auto& a, const auto& b) {
    return &kind_of(a.name) < &kind_of(b.name);
  });
  return columns;
}

}  // namespace actswap
