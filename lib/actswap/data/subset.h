// Some of the examples of a data set.
#pragma once

#include <actswap/data/dataset.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace actswap {

/// The data set must outlive it.
class Subset : public Dataset {
 public:
  /// @param data must outlive it
  /// @param indices of examples of `data`, in the order in which they are to be examples here
  Subset(const Dataset& data, std::vector<std::int64_t> indices)
      : data_(data), indices_(std::move(indices)) {}

  std::int64_t size() const override { return static_cast<std::int64_t>(indices_.size()); }
  Example get(std::span<const std::int64_t> indices) const override {
    std::vector<std::int64_t> theirs;
    theirs.reserve(indices.size());
    for (const std::int64_t index : indices) {
      theirs.push_back(indices_.at(static_cast<std::size_t>(index)));
    }
    return data_.get(theirs);
  }
  std::int64_t fixed_batch() const override { return data_.fixed_batch(); }

 private:
  const Dataset& data_;
  std::vector<std::int64_t> indices_;
};

/// Splits the examples into some to judge by and the others to learn from.
struct HeldOut {
  Subset judged;
  Subset learnt;

  /// @param data must outlive it
  /// @param count to judge by, in [1, data.size()): the first in an order that the seed draws and
  ///   that no epoch uses
  /// @param seed of that order
  HeldOut(const Dataset& data, std::int64_t count, std::uint64_t seed)
      : HeldOut(data, shuffled_indices(data.size(), seed, -1), count) {}

 private:
  HeldOut(const Dataset& data, const std::vector<std::int64_t>& order, std::int64_t count)
      : judged(data, {order.begin(), order.begin() + count}),
        learnt(data, {order.begin() + count, order.end()}) {}
};

}  // namespace actswap
