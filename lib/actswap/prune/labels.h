// Labels for the entries of tensors: entries with the same label can only be removed together.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace actswap {

using Label = std::int64_t;
constexpr Label kFixed = -1;  ///< of an entry that always stays

/// Sets of labels that were tied together, and why the entries of some of them stay.
class Labels {
 public:
  static constexpr std::int64_t kNoOwner = -1;  ///< of labels that belong to no parameter or buffer

  /// New labels, one after the other.
  /// @param gives_way where there is a choice, the units of other labels are worth more: no layer
  ///   computes a buffer (a table of rotary embeddings) or an entry that code repeats
  /// @return the first
  Label fresh(std::int64_t count, std::int64_t owner, bool gives_way = false);

  /// One label for all those that are tied together.
  Label root(Label label) const;
  /// Makes entries with these labels go together. A tie to kFixed freezes.
  void tie(Label a, Label b, const std::string& reason);
  /// Makes entries with this label stay. The first reason given counts.
  void freeze(Label label, const std::string& reason);
  bool is_frozen(Label label) const;
  /// Whether all labels that this one was tied to do.
  bool gives_way(Label label) const;
  const std::string& reason(Label label) const;

  /// Whoever asked for the label.
  std::int64_t owner(Label label) const { return entries_[at(label)].owner; }
  std::int64_t count() const { return static_cast<std::int64_t>(entries_.size()); }

 private:
  struct Entry {
    Label parent;
    std::int64_t owner;
    bool gives_way = false;
    bool is_frozen = false;
    std::string reason = {};
  };
  static std::size_t at(Label label) { return static_cast<std::size_t>(label); }
  mutable std::vector<Entry> entries_;
};

/// The labels of a tensor's entries, in arrays that broadcast to its sizes. An entry goes if its
/// label in any of them goes. Labels do not depend on a dimension of size 1. Each array depends on
/// other dimensions.
struct LabelledShape {
  std::vector<std::int64_t> sizes = {};
  std::vector<at::Tensor> arrays = {};  ///< int64, each with as many dimensions as `sizes`
  bool is_weight = false;               ///< a parameter or buffer, or computed from such alone
  /// Number of the parameter or buffer whose entries these all are; -1: of none.
  std::int64_t source = -1;

  std::int64_t dim() const { return static_cast<std::int64_t>(sizes.size()); }
  /// A dimension counted from the end, if negative.
  std::int64_t wrap(std::int64_t d) const { return d < 0 ? d + dim() : d; }
};

/// Labels along one dimension, with size 1 in all others.
at::Tensor placed(const at::Tensor& labels, std::int64_t dimensions, std::int64_t dim);
bool depends_on(const at::Tensor& array, std::int64_t dim);
/// Whether the size of the dimension follows from the weights: all of its entries have different
/// labels. Otherwise the dimension is channels times something else, such as pixels.
bool counts_labels(const at::Tensor& array, std::int64_t dim);
/// Whether it depends on this dimension alone.
bool depends_only_on(const at::Tensor& array, std::int64_t dim);
/// The one dimension that an array depends on; -1: none or several.
std::int64_t only_dim(const at::Tensor& array);

/// How labels pass through operators.
class LabelAlgebra {
 public:
  explicit LabelAlgebra(Labels& labels) : labels_(labels) {}

  /// The array with size 1 in each dimension along which labels are equal.
  at::Tensor compressed(const at::Tensor& array) const;
  void freeze(const at::Tensor& array, const std::string& reason) const;
  void freeze(const LabelledShape& shape, const std::string& reason) const;
  /// Keeps the entries along a dimension. If the labels depend on others too (the heads of
  /// attention and their features), units along those can still go: the labels are tied over this
  /// one.
  /// @return the labels, which no longer depend on the dimension
  at::Tensor fixed_along(const at::Tensor& array, std::int64_t dim,
                         const std::string& reason) const;
  /// The same of each array that depends on the dimension.
  void freeze_along(const LabelledShape& shape, std::int64_t dim, const std::string& reason) const;
  /// Ties two arrays entry by entry, after broadcasting.
  void tie(const at::Tensor& a, const at::Tensor& b, const std::string& reason) const;
  /// Labels no longer depend on the dimension.
  at::Tensor tie_over(const at::Tensor& array, std::int64_t dim, const std::string& reason) const;
  /// Labels depend on the dimension alone.
  at::Tensor tie_to(const at::Tensor& array, std::int64_t dim, const std::string& reason) const;

  /// The result of an elementwise operator. If one tensor has labels along a dimension and the
  /// other has as many entries without labels, the entries along it stay. So do they if those of
  /// the other give way, and the labels depend on other dimensions too (heads and their features).
  LabelledShape combined(const LabelledShape& a, const LabelledShape& b,
                         const std::string& reason) const;
  /// The result of an operator that moves entries about.
  LabelledShape moved(const LabelledShape& shape,
                      const std::function<at::Tensor(const at::Tensor&)>& move) const;
  /// Removes arrays that say nothing, and freezes those that it cannot tell apart because they
  /// depend on the same dimension. Of two such arrays, one may give way: the repetitions of keys
  /// and values for each head of a group, to the heads that are repeated.
  void tidy(LabelledShape& shape) const;

 private:
  bool gives_way(const at::Tensor& array) const;
  void give_way(LabelledShape& shape, const LabelledShape& other, const std::string& reason) const;

  Labels& labels_;
};

}  // namespace actswap
