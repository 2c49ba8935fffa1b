#include <actswap/base/counted.h>
#include <actswap/base/error.h>
#include <actswap/data/choose_columns.h>
#include <actswap/data/finite.h>
#include <actswap/data/fixed_batches.h>
#include <actswap/data/loaded_data.h>
#include <actswap/data/prepare.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

namespace actswap {

namespace {

// Before the limit is applied: it would hide that the files do not belong together.
void check_sizes(const Parts& parts) {
  for (const auto* columns : {&parts.inputs, &parts.targets}) {
    for (const auto& [name, column, problem, is_field] : *columns) {
      if (column->size() != parts.inputs[0].column->size()) {
        throw FileError("Expected as many examples in '" + name + "' as in '" +
                        parts.inputs[0].name + "', but got " + std::to_string(column->size()) +
                        " and " + std::to_string(parts.inputs[0].column->size()));
      }
    }
  }
}

std::string name_of(const char* part, const NamedColumn& column, const std::string& path) {
  return std::string("the ") + part + " '" + column.name + "' of '" + path + "'";
}

// All of them, where there are few enough.
void check_values(const Parts& parts, std::int64_t size) {
  for (const auto& input : parts.inputs) {
    expect_finite(*input.column, size, Infinities::of_masks, name_of("input", input, parts.path));
  }
  for (const auto& target : parts.targets) {
    expect_finite(*target.column, size, Infinities::none, name_of("target", target, parts.path));
  }
}

std::string entry_shape(const torch::Tensor& batch) {
  std::string text;
  for (std::int64_t i = 1; i < batch.dim(); ++i) {
    text += (i == 1 ? "" : " x ") + std::to_string(batch.size(i));
  }
  return text;
}

}  // namespace

LoadedData::LoadedData(Parts parts, const DataOptions& options, const std::string& path)
    : parts_(std::make_unique<const Parts>(std::move(parts))),
      options_(std::make_unique<const DataOptions>(options)) {
  check_sizes(*parts_);
  size_ = parts_->inputs[0].column->size();
  if (options.limit > 0) {
    size_ = std::min(size_, options.limit);
  }
  // Their order is shuffled in memory.
  constexpr std::int64_t kMost = std::int64_t{1} << 59;
  check_memory(sizeof(std::int64_t) * static_cast<std::uint64_t>(std::min(size_, kMost)),
               "the order of the " + std::to_string(size_) + " examples of '" + path + "'");
  if (size_ > 0) {
    const std::int64_t first = 0;
    const auto example = get({&first, 1});
    const bool normalises = !options.mean.empty() || !options.deviation.empty();
    if (normalises && std::none_of(example.inputs.begin(), example.inputs.end(),
                                   [](const auto& input) { return input.is_floating_point(); })) {
      throw UsageError("Expected an input of floats for --mean and --deviation, but '" + path +
                       "' has integer inputs only");
    }
  }
  check_values(*parts_, size_);
  description_ = describe();
}

LoadedData::~LoadedData() = default;

std::int64_t LoadedData::size() const {
  return size_;
}

Example LoadedData::get(std::span<const std::int64_t> indices) const {
  for (const std::int64_t i : indices) {
    if (i < 0 || i >= size_) {
      throw UsageError("Expected indices of examples in [0, " + std::to_string(size_) +
                       "), but got " + std::to_string(i));
    }
  }
  Example example;
  for (const auto& input : parts_->inputs) {
    auto entries = input.column->at(indices);
    expect_finite(entries, indices, Infinities::of_masks, name_of("input", input, parts_->path));
    example.inputs.push_back(prepare_input(std::move(entries), *options_));
  }
  for (const auto& target : parts_->targets) {
    const auto entries = target.column->at(indices);
    expect_finite(entries, indices, Infinities::none, name_of("target", target, parts_->path));
    example.targets.push_back(prepare_target(entries));
  }
  return example;
}

torch::Tensor LoadedData::target(std::int64_t most) const {
  if (parts_->targets.empty() || size_ == 0) {
    return {};
  }
  const auto& column = *parts_->targets[0].column;
  std::vector<std::int64_t> indices(static_cast<std::size_t>(std::min(size_, most)));
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  const auto numbers = column.at({indices.data(), 1}).numel();
  if (numbers * size_ > most) {
    return {};
  }
  return prepare_target(column.at(indices));
}

std::string LoadedData::describe() const {
  std::string text = counted(size_, "example");
  if (size_ == 0) {
    return text;
  }
  const std::int64_t first = 0;
  for (const auto& input : parts_->inputs) {
    const auto stored = input.column->at({&first, 1});
    const auto shape = entry_shape(prepare_input(stored, *options_));
    const auto kind = input.column->kind();
    text += "; input '" + input.name + "' " + shape + (shape.empty() ? "(" : " (") + kind +
            (kind.empty() ? "" : "; ") + describe_input(stored, *options_) + ")";
  }
  for (const auto& target : parts_->targets) {
    const auto stored = prepare_target(target.column->at({&first, 1}));
    const auto classes = target.column->classes();
    const auto shape = entry_shape(stored);
    text += "; target '" + target.name + "' " + shape + (shape.empty() ? "(" : " (") +
            type_name(stored.scalar_type()) +
            (classes.empty() ? ""
                             : ", " + counted(classes.size(), "class", "classes") + ": " +
                                   classes.front() + " (0) to " + classes.back()) +
            ")";
  }
  for (const auto& column : parts_->left_out) {
    text += "; '" + column.name + "' is left out" +
            (column.problem.empty() ? "" : ": " + column.problem);
  }
  return text;
}

std::vector<std::string> LoadedData::classes() const {
  return parts_->targets.empty() ? std::vector<std::string>()
                                 : parts_->targets[0].column->classes();
}

void check_same_classes(const Dataset* one, const Dataset* other, const char* what) {
  if (one == nullptr || other == nullptr) {
    return;
  }
  const auto* first = dynamic_cast<const LoadedData*>(&without_batches(*one));
  const auto* second = dynamic_cast<const LoadedData*>(&without_batches(*other));
  if (first == nullptr || second == nullptr) {
    return;
  }
  const auto ours = first->classes();
  const auto theirs = second->classes();
  if (ours.empty() || theirs.empty() || ours == theirs) {
    return;
  }
  std::vector<std::string> lacking;
  std::set_symmetric_difference(ours.begin(), ours.end(), theirs.begin(), theirs.end(),
                                std::back_inserter(lacking));
  throw UsageError(std::string("Expected the same classes in the ") + what + " data, but got " +
                   std::to_string(ours.size()) + " and " + std::to_string(theirs.size()) +
                   (lacking.empty() ? "" : "; only one of them has '" + lacking[0] + "'"));
}

}  // namespace actswap
