#include <actswap/base/error.h>
#include <actswap/data/parallel.h>
#include <actswap/data/shards.h>

#include <sys/resource.h>

#include <algorithm>
#include <regex>
#include <utility>

namespace actswap {

namespace {

constexpr std::uint64_t kMostFiles = 100'000;

class ConcatenatedColumn : public Column {
 public:
  explicit ConcatenatedColumn(std::vector<std::shared_ptr<const Column>> parts)
      : parts_(std::move(parts)) {
    for (const auto& part : parts_) {
      ends_.push_back(size() + part->size());
    }
  }

  std::int64_t size() const override { return ends_.empty() ? 0 : ends_.back(); }
  std::string kind() const override { return parts_[0]->kind(); }
  std::vector<std::string> classes() const override { return parts_[0]->classes(); }

  // Each part is asked once, then the entries are put into their order.
  torch::Tensor at(std::span<const std::int64_t> indices) const override {
    std::vector<std::vector<std::int64_t>> wanted(parts_.size());
    std::vector<std::vector<std::int64_t>> places(parts_.size());
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const auto part = static_cast<std::size_t>(
          std::upper_bound(ends_.begin(), ends_.end(), indices[i]) - ends_.begin());
      wanted[part].push_back(indices[i] - (part == 0 ? 0 : ends_[part - 1]));
      places[part].push_back(static_cast<std::int64_t>(i));
    }
    std::vector<torch::Tensor> found(parts_.size());
    const auto read = [&](std::int64_t part) {
      const auto p = static_cast<std::size_t>(part);
      if (!wanted[p].empty()) {
        found[p] = parts_[p]->at(wanted[p]);
      }
    };
    read_all(read);
    return in_order(found, places);
  }

 private:
  // Images take long to decode, and that runs no kernels.
  void read_all(const std::function<void(std::int64_t)>& read) const {
    const auto count = static_cast<std::int64_t>(parts_.size());
    if (!kind().empty()) {
      in_threads(count, read);
      return;
    }
    for (std::int64_t part = 0; part < count; ++part) {
      read(part);
    }
  }

  static torch::Tensor in_order(const std::vector<torch::Tensor>& found,
                                const std::vector<std::vector<std::int64_t>>& places) {
    std::vector<torch::Tensor> parts;
    std::vector<std::int64_t> order;
    for (std::size_t p = 0; p < found.size(); ++p) {
      if (!found[p].defined()) {
        continue;
      }
      parts.push_back(found[p]);
      order.insert(order.end(), places[p].begin(), places[p].end());
      if (found[p].sizes().slice(1) != parts[0].sizes().slice(1) ||
          found[p].scalar_type() != parts[0].scalar_type()) {
        throw FileError("Expected entries of one shape and type in all files, but some are " +
                        type_name(parts[0].scalar_type()) + " of shape " +
                        c10::str(parts[0].sizes().slice(1)) + " and others " +
                        type_name(found[p].scalar_type()) + " of shape " +
                        c10::str(found[p].sizes().slice(1)));
      }
    }
    if (parts.empty()) {
      return torch::empty({0});
    }
    const auto read = torch::cat(parts);
    return torch::empty_like(read).index_copy_(0, torch::tensor(order, torch::kInt64), read);
  }

  std::vector<std::shared_ptr<const Column>> parts_;
  std::vector<std::int64_t> ends_ = {};
};

}  // namespace

std::vector<std::string> expand_ranges(const std::string& path) {
  static const std::regex kRange(R"(\{(\d{1,18})\.\.(\d{1,18})\})");
  std::smatch found;
  if (!std::regex_search(path, found, kRange)) {
    return {path};
  }
  const auto width = static_cast<std::size_t>(found[1].length());
  const auto first = std::stoull(found[1]);
  const auto last = std::stoull(found[2]);
  if (first > last || last - first >= kMostFiles) {
    throw UsageError("Expected a range that goes up, of " + std::to_string(kMostFiles) +
                     " files at most, but got '" + found[0].str() + "'");
  }
  std::vector<std::string> paths;
  for (auto number = first; number <= last; ++number) {
    auto digits = std::to_string(number);
    digits.insert(0, width - std::min(width, digits.size()), '0');
    for (const auto& rest : expand_ranges(found.suffix())) {
      paths.push_back(found.prefix().str() + digits + rest);
    }
    if (paths.size() > kMostFiles) {
      throw UsageError("Expected " + std::to_string(kMostFiles) + " files at most in '" + path +
                       "'");
    }
  }
  return paths;
}

void allow_open_files(std::size_t count) {
  constexpr rlim_t kOthers = 256;
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < count + kOthers) {
    limit.rlim_cur = std::min<rlim_t>(count + kOthers, limit.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

Columns concatenated(std::vector<Columns> files, const std::vector<std::string>& paths) {
  if (files.size() == 1) {
    return std::move(files[0]);
  }
  // A single array has the name of its file.
  const bool are_single =
      std::all_of(files.begin(), files.end(), [](const Columns& file) { return file.size() == 1; });
  Columns columns;
  for (std::size_t i = 0; i < files[0].size(); ++i) {
    const auto& first = files[0][i];
    std::vector<std::shared_ptr<const Column>> parts;
    for (std::size_t file = 0; file < files.size(); ++file) {
      if (files[file].size() != files[0].size() ||
          (files[file][i].name != first.name && !are_single)) {
        throw FileError("Expected the same tensors in '" + paths[file] + "' as in '" + paths[0] +
                        "'");
      }
      const auto& other = files[file][i];
      if (!other.column) {
        parts.clear();
        columns.push_back(other);
        break;
      }
      if (first.column && other.column->classes() != first.column->classes()) {
        throw FileError("Expected the same classes in '" + paths[file] + "' as in '" + paths[0] +
                        "'");
      }
      parts.push_back(other.column);
    }
    if (!parts.empty()) {
      columns.push_back(
          {first.name, std::make_shared<ConcatenatedColumn>(std::move(parts)), "", first.is_field});
    }
  }
  return columns;
}

}  // namespace actswap
