// Examples for a model that takes a certain number of them at a time.
#pragma once

#include <actswap/data/dataset.h>

#include <cstdint>
#include <memory>
#include <utility>

namespace actswap {

/// Another data set, but every batch of it has the same number of examples. It drops the examples
/// left over at the end.
class FixedBatches : public Dataset {
 public:
  /// @param data not null
  /// @param count of examples in a batch, > 0
  FixedBatches(std::shared_ptr<Dataset> data, std::int64_t count)
      : data_(std::move(data)), count_(count) {}

  std::int64_t size() const override { return data_->size(); }
  Example get(std::span<const std::int64_t> indices) const override { return data_->get(indices); }
  std::int64_t fixed_batch() const override { return count_; }

  const Dataset& data() const { return *data_; }

 private:
  std::shared_ptr<Dataset> data_;
  std::int64_t count_;
};

/// The data set behind the batches, which may offer more than Dataset (LoadedData).
inline const Dataset& without_batches(const Dataset& data) {
  const auto* fixed = dynamic_cast<const FixedBatches*>(&data);
  return fixed != nullptr ? fixed->data() : data;
}

}  // namespace actswap
