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
/// If the model takes a certain number of examples and no other, batches consist of that many, or
/// of several times that many, and the examples left over are in none.
class EvenBatches {
 public:
  /// @param size >= 0
  /// @param batch_size > 0
  /// @param unit examples that stay together (Dataset::fixed_batch): all sizes are multiples; 0: 1
  EvenBatches(std::int64_t size, std::int64_t batch_size, std::int64_t unit = 0)
      : unit_(std::max<std::int64_t>(1, unit)), units_(size / unit_) {
    const auto most = std::max<std::int64_t>(1, batch_size / unit_);
    count_ = units_ / most + (units_ % most != 0 ? 1 : 0);
    if (most > 1 && units_ > 1 && units_ < 2 * count_) {
      count_ = units_ / 2;
    }
  }

  std::int64_t count() const { return count_; }
  /// The number of a batch's first example; for batch count(), the end of the last batch.
  std::int64_t begin(std::int64_t batch) const {
    const auto small = units_ / std::max<std::int64_t>(1, count_);
    return unit_ * (batch * small + std::min(batch, units_ - small * count_));
  }

 private:
  std::int64_t unit_;
  std::int64_t units_;
  std::int64_t count_ = 0;
};

}  // namespace actswap
