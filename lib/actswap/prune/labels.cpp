#include <actswap/prune/labels.h>

#include <algorithm>
#include <utility>

namespace actswap {

namespace {

std::vector<Label> entries_of(const at::Tensor& array) {
  const auto whole = array.contiguous();
  const auto* data = whole.data_ptr<Label>();
  return {data, data + whole.numel()};
}

bool has_label(const at::Tensor& array) {
  return array.ge(0).any().item<bool>();
}

bool overlap(const at::Tensor& x, const at::Tensor& y) {
  for (std::int64_t d = 0; d < x.dim(); ++d) {
    if (depends_on(x, d) && depends_on(y, d)) {
      return true;
    }
  }
  return false;
}

at::Tensor with_dimensions(at::Tensor array, std::int64_t dimensions) {
  while (array.dim() < dimensions) {
    array = array.unsqueeze(0);
  }
  return array;
}

}  // namespace

Label Labels::fresh(std::int64_t count, std::int64_t owner, bool gives_way) {
  const auto first = static_cast<Label>(entries_.size());
  for (std::int64_t i = 0; i < count; ++i) {
    entries_.push_back({.parent = first + i, .owner = owner, .gives_way = gives_way});
  }
  return first;
}

Label Labels::root(Label label) const {
  if (label == kFixed) {
    return kFixed;
  }
  while (entries_[at(label)].parent != label) {
    auto& entry = entries_[at(label)];
    entry.parent = entries_[at(entry.parent)].parent;
    label = entry.parent;
  }
  return label;
}

void Labels::tie(Label a, Label b, const std::string& reason) {
  a = root(a);
  b = root(b);
  if (a == b) {
    return;
  }
  if (a == kFixed || b == kFixed) {
    freeze(a == kFixed ? b : a, reason);
    return;
  }
  const auto first = std::min(a, b);
  const auto second = std::max(a, b);
  entries_[at(second)].parent = first;
  entries_[at(first)].gives_way = entries_[at(first)].gives_way && entries_[at(second)].gives_way;
  if (entries_[at(second)].is_frozen) {
    freeze(first, entries_[at(second)].reason);
  }
}

void Labels::freeze(Label label, const std::string& reason) {
  auto& entry = entries_[at(root(label))];
  if (!entry.is_frozen) {
    entry.is_frozen = true;
    entry.reason = reason;
  }
}

bool Labels::is_frozen(Label label) const {
  return label == kFixed || entries_[at(root(label))].is_frozen;
}

bool Labels::gives_way(Label label) const {
  return label != kFixed && entries_[at(root(label))].gives_way;
}

const std::string& Labels::reason(Label label) const {
  return entries_[at(root(label))].reason;
}

at::Tensor placed(const at::Tensor& labels, std::int64_t dimensions, std::int64_t dim) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(dimensions), 1);
  sizes.at(static_cast<std::size_t>(dim)) = labels.numel();
  return labels.reshape(sizes);
}

bool depends_on(const at::Tensor& array, std::int64_t dim) {
  return array.size(dim) > 1;
}

bool counts_labels(const at::Tensor& array, std::int64_t dim) {
  if (!depends_on(array, dim)) {
    return false;
  }
  auto along = array;
  for (std::int64_t d = array.dim() - 1; d >= 0; --d) {
    along = d == dim ? along : along.select(d, 0);
  }
  auto labels = entries_of(along);
  std::erase(labels, kFixed);
  std::sort(labels.begin(), labels.end());
  return std::adjacent_find(labels.begin(), labels.end()) == labels.end();
}

std::int64_t only_dim(const at::Tensor& array) {
  std::int64_t found = -1;
  for (std::int64_t d = 0; d < array.dim(); ++d) {
    if (array.size(d) > 1) {
      if (found >= 0) {
        return -1;
      }
      found = d;
    }
  }
  return found;
}

bool depends_only_on(const at::Tensor& array, std::int64_t dim) {
  return only_dim(array) == dim;
}

at::Tensor LabelAlgebra::compressed(const at::Tensor& array) const {
  auto found = array;
  auto roots = array.contiguous().clone();
  auto* data = roots.data_ptr<Label>();
  for (std::int64_t i = 0; i < roots.numel(); ++i) {
    data[i] = labels_.root(data[i]);
  }
  for (std::int64_t d = 0; d < array.dim(); ++d) {
    const auto first = roots.narrow(d, 0, 1);
    if (roots.size(d) > 1 && roots.eq(first).all().item<bool>()) {
      roots = first;
      found = found.narrow(d, 0, 1);
    }
  }
  return found.contiguous();
}

void LabelAlgebra::freeze(const at::Tensor& array, const std::string& reason) const {
  for (const auto label : entries_of(array)) {
    if (label != kFixed) {
      labels_.freeze(label, reason);
    }
  }
}

void LabelAlgebra::freeze(const LabelledShape& shape, const std::string& reason) const {
  for (const auto& array : shape.arrays) {
    freeze(array, reason);
  }
}

at::Tensor LabelAlgebra::fixed_along(const at::Tensor& array, std::int64_t dim,
                                     const std::string& reason) const {
  if (!depends_on(array, dim)) {
    return array;
  }
  if (depends_only_on(array, dim)) {
    freeze(array, reason);
    return array.narrow(dim, 0, 1).contiguous();
  }
  return tie_over(array, dim, reason);
}

void LabelAlgebra::freeze_along(const LabelledShape& shape, std::int64_t dim,
                                const std::string& reason) const {
  for (const auto& array : shape.arrays) {
    fixed_along(array, dim, reason);
  }
}

void LabelAlgebra::tie(const at::Tensor& a, const at::Tensor& b, const std::string& reason) const {
  const auto both = at::broadcast_tensors({a, b});
  const auto first = entries_of(both[0]);
  const auto second = entries_of(both[1]);
  for (std::size_t i = 0; i < first.size(); ++i) {
    labels_.tie(first[i], second[i], reason);
  }
}

at::Tensor LabelAlgebra::tie_over(const at::Tensor& array, std::int64_t dim,
                                  const std::string& reason) const {
  const auto first = array.narrow(dim, 0, 1);
  if (array.size(dim) > 1) {
    tie(array, first, reason);
  }
  return first.contiguous();
}

at::Tensor LabelAlgebra::tie_to(const at::Tensor& array, std::int64_t dim,
                                const std::string& reason) const {
  auto tied = array;
  for (std::int64_t d = 0; d < array.dim(); ++d) {
    tied = d == dim ? tied : tie_over(tied, d, reason);
  }
  return tied;
}

LabelledShape LabelAlgebra::combined(const LabelledShape& a, const LabelledShape& b,
                                     const std::string& reason) const {
  const auto dimensions = std::max(a.dim(), b.dim());
  const auto aligned = [&](const LabelledShape& shape) {
    LabelledShape found = shape;
    found.sizes.insert(found.sizes.begin(), static_cast<std::size_t>(dimensions - shape.dim()), 1);
    for (auto& array : found.arrays) {
      array = with_dimensions(array, dimensions);
    }
    return found;
  };
  auto first = aligned(a);
  auto second = aligned(b);
  give_way(first, second, reason);
  give_way(second, first, reason);
  LabelledShape result{.arrays = first.arrays, .is_weight = a.is_weight && b.is_weight};
  for (std::size_t d = 0; d < first.sizes.size(); ++d) {
    result.sizes.push_back(first.sizes[d] == 1 ? second.sizes[d] : first.sizes[d]);
  }
  // Labels of one tensor alone: the other has to be broadcast along them.
  const auto fix = [&](at::Tensor array, const LabelledShape& other) {
    for (std::int64_t d = 0; d < dimensions; ++d) {
      if (other.sizes[static_cast<std::size_t>(d)] != 1) {
        array = fixed_along(array, d, reason);
      }
    }
    return array;
  };
  for (auto& array : result.arrays) {
    const bool meets = std::any_of(second.arrays.begin(), second.arrays.end(),
                                   [&](const at::Tensor& other) { return overlap(array, other); });
    if (!meets) {
      array = fix(array, second);
    }
  }
  for (const auto& array : second.arrays) {
    bool meets = false;
    for (const auto& other : first.arrays) {
      if (overlap(array, other)) {
        tie(array, other, reason);
        meets = true;
      }
    }
    if (!meets) {
      result.arrays.push_back(fix(array, first));
    }
  }
  // Tied labels may now depend on fewer dimensions or, if they were broadcast, on more.
  for (auto& array : result.arrays) {
    array = compressed(array);
  }
  tidy(result);
  return result;
}

LabelledShape LabelAlgebra::moved(const LabelledShape& shape,
                                  const std::function<at::Tensor(const at::Tensor&)>& move) const {
  LabelledShape result{.sizes = shape.sizes, .is_weight = shape.is_weight, .source = shape.source};
  for (const auto& array : shape.arrays) {
    const auto labels = move(array.expand(shape.sizes).contiguous());
    result.sizes = labels.sizes().vec();
    result.arrays.push_back(compressed(labels));
  }
  tidy(result);
  return result;
}

bool LabelAlgebra::gives_way(const at::Tensor& array) const {
  return std::ranges::all_of(entries_of(array),
                             [&](Label label) { return labels_.gives_way(label); });
}

// Freezes and removes the labels of `shape` that give way to labels of `other` which depend on more
// dimensions. Along the shared dimensions `shape` then has as many entries without labels.
void LabelAlgebra::give_way(LabelledShape& shape, const LabelledShape& other,
                            const std::string& reason) const {
  std::erase_if(shape.arrays, [&](const at::Tensor& array) {
    const auto has_more = [&](const at::Tensor& candidate) {
      for (std::int64_t d = 0; d < candidate.dim(); ++d) {
        if (depends_on(candidate, d) && !depends_on(array, d)) {
          return true;
        }
      }
      return false;
    };
    const bool is_minor =
        gives_way(array) && std::ranges::any_of(other.arrays, [&](const at::Tensor& candidate) {
          return overlap(array, candidate) && has_more(candidate) && !gives_way(candidate);
        });
    if (is_minor) {
      freeze(array, reason);
    }
    return is_minor;
  });
}

void LabelAlgebra::tidy(LabelledShape& shape) const {
  std::vector<at::Tensor> kept;
  for (const auto& array : shape.arrays) {
    if (!has_label(array)) {
      continue;
    }
    if (array.numel() == 1) {
      freeze(array, "nothing would be left of a tensor without it");
      continue;
    }
    const std::string reason = "two kinds of units lie in one dimension of a tensor";
    const bool is_minor = gives_way(array);
    bool is_kept = true;
    std::erase_if(kept, [&](const at::Tensor& other) {
      if (!overlap(array, other)) {
        return false;
      }
      const bool other_is_minor = gives_way(other);
      if (is_minor || !other_is_minor) {
        freeze(array, reason);
      }
      if (other_is_minor || !is_minor) {
        freeze(other, reason);
      }
      is_kept = is_kept && (!is_minor || other_is_minor);
      return other_is_minor && !is_minor;
    });
    if (is_kept) {
      kept.push_back(array);
    }
  }
  shape.arrays = std::move(kept);
}

}  // namespace actswap
