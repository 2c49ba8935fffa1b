// A few inputs of a data set.
#pragma once

#include <actswap/base/export.h>
#include <actswap/base/share.h>
#include <actswap/data/dataset.h>

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace actswap {

/// The inputs of `count` examples (of all, if there are fewer) that `seed` chooses, in batches: the
/// first of shuffled_indices(size, seed, 0).
/// @param data to choose from
/// @param count examples, > 0
/// @param batch_size of the largest batch (EvenBatches)
/// @param seed the same seed chooses the same examples
/// @throws UsageError for a count or batch_size below 1, and for fewer examples than a fixed batch
ACTSWAP_API std::vector<std::vector<torch::Tensor>> sample_inputs(const Dataset& data,
                                                                  std::int64_t count,
                                                                  std::int64_t batch_size,
                                                                  std::uint64_t seed);

/// An endless stream of inputs in batches of one size: the first example follows the last.
class ACTSWAP_API InputStream {
 public:
  /// @param data must outlive it
  /// @param indices of the examples, in their order; at least one
  /// @param batch_size > 0
  /// @param share of each batch, that batch() gives
  InputStream(const Dataset& data, std::vector<std::int64_t> indices, std::int64_t batch_size,
              Share share = {})
      : data_(data), indices_(std::move(indices)), batch_size_(batch_size), share_(share) {}

  std::vector<torch::Tensor> batch(std::int64_t number) const;
  /// How many different examples the first `batches` batches contain.
  std::int64_t examples(std::int64_t batches) const;

 private:
  const Dataset& data_;
  std::vector<std::int64_t> indices_;
  std::int64_t batch_size_;
  Share share_;
};

/// The inputs of the first examples, at most `count`, or as many as the model takes at a time:
/// enough to probe a model, and few enough to store in a file.
ACTSWAP_API std::vector<torch::Tensor> first_inputs(const Dataset& data, std::int64_t count = 8);

/// The first examples of another data set, which must outlive it: `count` of them at most.
class ACTSWAP_API FirstExamples : public Dataset {
 public:
  FirstExamples(const Dataset& data, std::int64_t count) : data_(data), count_(count) {}
  std::int64_t size() const override;
  Example get(std::span<const std::int64_t> indices) const override { return data_.get(indices); }
  std::int64_t fixed_batch() const override { return data_.fixed_batch(); }

 private:
  const Dataset& data_;
  std::int64_t count_;
};

}  // namespace actswap
