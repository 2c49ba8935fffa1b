// Divides examples among batches.
#pragma once

#include <algorithm>
#include <cstdint>

namespace actswap {

/// Makes batches of nearly equal size, none larger than asked for, instead of full ones and a rest:
/// a last batch of a few examples would count as much as a full one when batches are compared, and
/// models that squeeze their values fail on a batch of one. So no batch has a single example unless
/// that is the only way: with an odd number in pairs, one batch has three.
///
/// If the model takes a certain number of examples and no other, all batches have that size, and
/// the examples left over are in none.
class EvenBatches {
 public:
  /// @param size >= 0
  /// @param batch_size > 0
  /// @param fixed the size of all batches (Dataset::fixed_batch); 0: not fixed
  EvenBatches(std::int64_t size, std::int64_t batch_size, std::int64_t fixed = 0)
      : size_(fixed > 0 ? size / fixed * fixed : size) {
    if (fixed > 0) {
      count_ = size / fixed;
      return;
    }
    count_ = size / batch_size + (size % batch_size != 0 ? 1 : 0);
    if (batch_size > 1 && size > 1 && size < 2 * count_) {
      count_ = size / 2;
    }
  }

  std::int64_t count() const { return count_; }
  /// The number of a batch's first example; for batch count(), the end of the last batch.
  std::int64_t begin(std::int64_t batch) const {
    const auto small = size_ / std::max<std::int64_t>(1, count_);
    return batch * small + std::min(batch, size_ - small * count_);
  }

 private:
  std::int64_t size_;
  std::int64_t count_ = 0;
};

}  // namespace actswap
