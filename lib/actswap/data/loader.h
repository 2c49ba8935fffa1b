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
  /// Where the data have a fixed batch (Dataset::fixed_batch): batches of several of these, for who
  /// takes them apart again, and batch_size is a multiple of it. Otherwise of one, whatever
  /// batch_size is.
  bool joins_fixed = false;
  std::uint64_t seed = 0;
  Augmentation augmentation = {};
  Share share = {};  ///< of each batch, that this process takes; a batch_size >= share.count
};

class ACTSWAP_API Loader {
 public:
  /// The data set must outlive the loader. @throws UsageError for an empty data set or batch_size
  /// < 1, for batches that are smaller than the number of shares, and for those that do not consist
  /// of fixed ones
  Loader(const Dataset& dataset, const LoaderOptions& options);
  std::int64_t batches_per_epoch() const;
  /// Examples in the batch, those of other shares too.
  std::int64_t batch_size(std::int64_t batch) const;
  /// Those of this share.
  std::int64_t own_size(std::int64_t batch) const;
  /// Calls `body(batch_index, example)` for each batch of the epoch from the batch `first` on,
  /// before `end` (empty: to the last); the next batch is prepared meanwhile. Exceptions of the
  /// body or the data set pass through, and the thread ends first.
  void for_each(std::int64_t epoch, const std::function<void(std::int64_t, const Example&)>& body,
                std::int64_t first = 0, std::optional<std::int64_t> end = {}) const;

 private:
  struct Range {
    std::int64_t begin = 0;
    std::int64_t end = 0;
  };
  std::int64_t begin_of(std::int64_t batch) const;
  Range own_range(std::int64_t batch) const;

  const Dataset& dataset_;
  LoaderOptions options_;
  std::int64_t unit_;  // examples that stay together
};

}  // namespace actswap
