#include <actswap/calibrate/difference.h>
#include <actswap/calibrate/program_tensors.h>
#include <actswap/graph/retarget.h>
#include <actswap/graph/walk.h>
#include <actswap/prune/fading.h>
#include <actswap/prune/kept_units.h>

#include <cstddef>
#include <optional>
#include <string>

namespace actswap {

namespace jit = torch::jit;

namespace {

// The positions of a smaller tensor's entries in the full one: an index for each dimension, shaped
// so that they broadcast against each other.
c10::List<std::optional<torch::Tensor>> places(const std::string& path, const torch::Tensor& full,
                                               const KeptEntries& kept) {
  c10::List<std::optional<torch::Tensor>> found;
  for (std::int64_t dim = 0; dim < full.dim(); ++dim) {
    const auto some = kept.indices.find({path, dim});
    const auto indices =
        some != kept.indices.end() ? some->second : torch::arange(full.size(dim), torch::kLong);
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(full.dim()), 1);
    sizes[static_cast<std::size_t>(dim)] = -1;
    found.push_back(indices.view(sizes));
  }
  return found;
}

void take_over(const jit::Module& full, const jit::Module& pruned, const KeptEntries& kept,
               const jit::Module& original) {
  for (const auto& entry : distinct_modules(pruned)) {
    const auto object = entry.module._ivalue();
    for (std::size_t i = 0; i < object->slots().size(); ++i) {
      const auto& value = object->getSlot(i);
      if (!value.isTensor() || !value.toTensor().defined()) {
        continue;
      }
      const auto path =
          (entry.path.empty() ? "" : entry.path + ".") + object->type()->getAttributeName(i);
      const auto full_tensor = tensor_at(full, path).detach();
      const auto tensor = value.toTensor().detach();
      if (full_tensor.sizes() == tensor.sizes()) {
        full_tensor.copy_(tensor);
      } else {
        full_tensor.copy_(tensor_at(original, path));
        full_tensor.index_put_(places(path, full_tensor, kept), tensor);
      }
    }
  }
}

}  // namespace

FadingUnits::FadingUnits(const jit::Module& full, const Retargeter& swap, const KeptEntries& kept,
                         const std::vector<torch::Tensor>& inputs)
    : full_(full),
      units_(find_unconfirmed_units(full, few_examples(full, inputs))),
      keep_(units_of(full, units_, kept)) {
  const torch::NoGradGuard no_grad;
  take_over(full, swap.module(), kept, swap.original().module);
  silence(full, units_, keep_);
  for (std::size_t group = 0; group < keep_.size(); ++group) {
    for (const auto& slice : units_.groups[group].slices) {
      std::vector<std::int64_t> gone;
      for (std::size_t unit = 0; unit < keep_[group].size(); ++unit) {
        if (slice.role == SliceRole::input && !keep_[group][unit]) {
          gone.insert(gone.end(), slice.entries[unit].begin(), slice.entries[unit].end());
        }
      }
      if (!gone.empty()) {
        columns_.push_back({.tensor = tensor_at(full, slice.tensor).detach(),
                            .dim = slice.dim,
                            .indices = torch::tensor(gone, torch::kLong),
                            .at_start = {}});
      }
    }
  }
}

void FadingUnits::begin() {
  for (auto& columns : columns_) {
    columns.at_start = widened(columns.tensor.index_select(columns.dim, columns.indices));
  }
}

void FadingUnits::move(double t) const {
  for (const auto& columns : columns_) {
    columns.tensor.index_copy_(columns.dim, columns.indices,
                               (columns.at_start * (1.0 - t)).to(columns.tensor.scalar_type()));
  }
}

jit::Module FadingUnits::cut() const {
  return actswap::cut(full_, units_, keep_);
}

}  // namespace actswap
