// How examples are shared out among batches.
#pragma once

#include <algorithm>
#include <cstdint>

namespace actswap {

/// Batches of nearly the same size, none larger than asked for, instead of full ones and a rest: a
/// last batch of a few examples would count as much as a full one wherever batches are compared,
/// and models that squeeze their values fail on a batch of one. So no batch has a single example,
/// unless there is no other way; of an odd number in pairs one batch has three.
class EvenBatches {
 public:
  /// @param size >= 0
  /// @param batch_size > 0
  EvenBatches(std::int64_t size, std::int64_t batch_size) : size_(size) {
    count_ = size / batch_size + (size % batch_size != 0 ? 1 : 0);
    if (batch_size > 1 && size > 1 && size < 2 * count_) {
      count_ = size / 2;
    }
  }

  std::int64_t count() const { return count_; }
  /// Of the first example of a batch; of batch count(), size.
  std::int64_t begin(std::int64_t batch) const {
    const auto small = size_ / std::max<std::int64_t>(1, count_);
    return batch * small + std::min(batch, size_ - small * count_);
  }

 private:
  std::int64_t size_;
  std::int64_t count_;
};

}  // namespace actswap
