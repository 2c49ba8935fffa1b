// Batches of a data set in an order that depends on seed and epoch alone, made one ahead by a
// background thread so that the training loop never waits for indexing and augmenting.
#pragma once

#include <actswap/base/export.h>
#include <actswap/base/share.h>
#include <actswap/data/augmentation.h>
#include <actswap/data/dataset.h>

#include <cstdint>
#include <functional>
#include <optional>

namespace actswap {

struct LoaderOptions {
  std::int64_t batch_size = 64;  ///< > 0
  bool shuffle = true;
  bool drop_last = false;  ///< full batches alone, without the rest; otherwise EvenBatches
  std::uint64_t seed = 0;
  Augmentation augmentation = {};
  Share share = {};  ///< of each batch, that this process takes; a batch_size >= share.count
};

class ACTSWAP_API Loader {
 public:
  /// The data set must outlive the loader. @throws UsageError for an empty data set or batch_size
  /// < 1, and for batches that are smaller than the number of shares.
  Loader(const Dataset& dataset, const LoaderOptions& options);
  std::int64_t batches_per_epoch() const;
  /// Examples in the batch, those of other shares too.
  std::int64_t batch_size(std::int64_t batch) const;
  /// Calls `body(batch_index, example)` for each batch of the epoch from the batch `first` on,
  /// before `end` (empty: to the last); the next batch is prepared meanwhile. Exceptions of the
  /// body or the data set pass through, and the thread ends first.
  void for_each(std::int64_t epoch, const std::function<void(std::int64_t, const Example&)>& body,
                std::int64_t first = 0, std::optional<std::int64_t> end = {}) const;

 private:
  std::int64_t begin_of(std::int64_t batch) const;

  const Dataset& dataset_;
  LoaderOptions options_;
};

}  // namespace actswap
